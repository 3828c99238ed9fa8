"""Remembers which models are called, as those that answer calls say it to all by signals."""

import time
from collections.abc import Callable, Iterable

from toplu.settings.model import ModelSettings

RECENT_SECONDS = 5.0  # they say it each second


class RecentCalls:
    """The last call of each model whose replicas come and go, wherever it came."""

    def __init__(
        self, models: Iterable[ModelSettings], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._now = now
        self._last: dict[str, float | None] = {it.name: None for it in models if it.is_elastic}

    def note(self, model: str) -> None:
        """Take note that the model is called."""
        if model in self._last:
            self._last[model] = self._now()

    def include(self, model: str) -> bool:
        """Return whether a call is in flight, or was a moment ago."""
        last = self._last.get(model)
        return last is not None and self._now() < last + RECENT_SECONDS
