"""Bounds the waiting of interactive calls, in number and in time."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from toplu.errors import Unavailable


class WaitBudget:
    """The seconds that one call may wait in all, however often it waits."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


class WaitLimits:
    """The number of calls that may wait for a model, and the time that each may."""

    def __init__(self, *, waiting_max: int, seconds_max: float, reason: Callable[[], str]) -> None:
        self._waiting_max = waiting_max
        self._seconds_max = seconds_max
        self._reason = reason  # says why there was nothing but waiting, or nothing
        self._waiting = 0

    def budget(self) -> WaitBudget:
        """Return the patience with one call."""
        return WaitBudget(self._seconds_max)

    @asynccontextmanager
    async def wait(self, budget: WaitBudget | None = None) -> AsyncIterator[None]:
        """Let the body wait, or raise Unavailable: too many do, or it takes too long."""
        budget = budget or self.budget()
        if self._waiting >= self._waiting_max:
            raise Unavailable("The model is overloaded. Please try again later.")
        self._waiting += 1
        begun = time.monotonic()
        try:
            async with asyncio.timeout(budget.seconds):
                yield
        except TimeoutError as error:
            reason = self._reason() or "The model is overloaded."
            raise Unavailable(f"{reason} Please try again later.") from error
        finally:
            self._waiting -= 1
            budget.seconds -= time.monotonic() - begun
