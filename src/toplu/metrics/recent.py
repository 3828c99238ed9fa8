"""Activity of engines within the last quarter of an hour, in this process's memory.

Counters stand for all time; people who look at a server want to know how it does now.
"""

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

WINDOW_SECONDS = 15 * 60
SLOT_SECONDS = 60
CALLS_MAX = 1000  # of a model, the last ones


@dataclass(frozen=True, slots=True)
class Recently:
    """The activity of one engine."""

    prompt_tokens: int = 0
    cached_tokens: int = 0  # those of the prompts' that were not computed again
    call_p95_seconds: float | None = None  # of interactive calls; None: there was none


@dataclass(slots=True)
class _Slot:
    begun: float
    prompt_tokens: int = 0
    cached_tokens: int = 0


class RecentActivity:
    """The tokens and calls of one model."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._slots: deque[_Slot] = deque()
        self._calls: deque[tuple[float, float]] = deque(maxlen=CALLS_MAX)  # ended, seconds

    def note_tokens(self, *, prompt: int, cached: int) -> None:
        """Count tokens of prompts."""
        now = self._now()
        if not self._slots or self._slots[-1].begun <= now - SLOT_SECONDS:
            self._slots.append(_Slot(now))
            self._forget(now)
        self._slots[-1].prompt_tokens += prompt
        self._slots[-1].cached_tokens += cached

    def note_call(self, seconds: float) -> None:
        """Count an interactive call that ended."""
        self._calls.append((self._now(), seconds))

    def read(self) -> Recently:
        """Return what there was."""
        self._forget(self._now())
        seconds = sorted(each for _, each in self._calls)
        return Recently(
            prompt_tokens=sum(slot.prompt_tokens for slot in self._slots),
            cached_tokens=sum(slot.cached_tokens for slot in self._slots),
            call_p95_seconds=seconds[math.ceil(0.95 * len(seconds)) - 1] if seconds else None,
        )

    def _forget(self, now: float) -> None:
        while self._slots and self._slots[0].begun <= now - WINDOW_SECONDS:
            self._slots.popleft()
        while self._calls and self._calls[0][0] <= now - WINDOW_SECONDS:
            self._calls.popleft()
