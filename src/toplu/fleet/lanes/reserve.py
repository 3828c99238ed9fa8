"""Keeps slots free of batches, for interactive calls that may come at any moment.

Calls that come at random, λ a second, and take S seconds each, keep λ·S slots busy in the mean
and seldom more than √(λ·S) above that. What comes on top of it preempts, which costs a batch some
work that is done again; so the reserve need not be right, and ends soon after the last call.
"""

import asyncio
import math
from collections.abc import Callable

from toplu.settings.server import ModelSettings, Settings

SHARE_OF_LAST = 0.2  # of the last call in the mean time that one takes


def loop_seconds() -> float:
    """Return the time of the event loop, which may be a virtual one."""
    return asyncio.get_running_loop().time()


class Reserve:
    """The reserve of one model, from the calls that were seen."""

    def __init__(self, *, seconds: float, now: Callable[[], float], least: int = 1) -> None:
        self._least = least  # once a call was seen
        self._seconds = seconds  # a call counts so long, ever less in the rate and then not at all
        self._now = now
        self._arrived_at: float | None = None  # the last one
        self._rate = 0.0  # calls per second, as of then
        self._service_seconds: float | None = None  # of a call, in the mean

    @property
    def is_kept(self) -> bool:
        """Whether there may be slots to keep free: a call was seen."""
        return self._arrived_at is not None

    def note_arrival(self) -> None:
        """Note a call that is to have a slot."""
        self._rate = self._present_rate() + 1 / self._seconds
        self._arrived_at = self._now()

    def note_service(self, seconds: float) -> None:
        """Note how long a call had its slot."""
        if self._service_seconds is None:
            self._service_seconds = seconds
        self._service_seconds += SHARE_OF_LAST * (seconds - self._service_seconds)

    def slots(self, most: int) -> int:
        """Return how many slots to keep free or in use for calls, `most` of them at most."""
        if self._arrived_at is None or self._now() - self._arrived_at > self._seconds:
            return 0
        load = self._present_rate() * (self._service_seconds or 0.0)
        return min(most, max(self._least, math.ceil(load + math.sqrt(load))))

    def _present_rate(self) -> float:
        if self._arrived_at is None:
            return 0.0
        return self._rate * math.exp((self._arrived_at - self._now()) / self._seconds)


def reserve_of(model: ModelSettings, settings: Settings) -> Reserve:
    """Return the reserve of a model, before a call has been seen."""
    return Reserve(
        seconds=settings.interactive_seen_seconds, now=loop_seconds, least=model.reserved_lanes_min
    )
