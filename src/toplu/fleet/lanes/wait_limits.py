"""Bounds the waiting of calls, in number and in time, for each tier of them."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from toplu.errors import Unavailable
from toplu.fleet.work import Tier
from toplu.settings.server import ModelSettings, Settings

FLEX_RETRY_SECONDS = 10.0  # a place of a batch may be free then


class WaitBudget:
    """The seconds that one call may wait in all, however often it waits."""

    def __init__(self, limits: "WaitLimits", seconds: float) -> None:
        self._limits = limits
        self.seconds = seconds

    def waiting(self) -> AbstractAsyncContextManager[None]:
        """Let the body wait, or raise Unavailable: too many do, or it takes too long."""
        return self._limits.wait(self)


class WaitLimits:
    """The number of calls of a tier that may wait for a model, and the time that each may."""

    def __init__(
        self,
        *,
        waiting_max: int,
        seconds_max: float,
        reason: Callable[[], str],
        retry_seconds: float | None = None,
    ) -> None:
        self._waiting_max = waiting_max
        self._seconds_max = seconds_max
        self._reason = reason  # says why there was nothing but waiting, or nothing
        self._retry_seconds = retry_seconds  # when a call that is refused may come again
        self._waiting = 0

    def budget(self) -> WaitBudget:
        """Return the patience with one call."""
        return WaitBudget(self, self._seconds_max)

    @asynccontextmanager
    async def wait(self, budget: WaitBudget | None = None) -> AsyncIterator[None]:
        """Let the body wait, or raise Unavailable: too many do, or it takes too long."""
        budget = budget or self.budget()
        if self._waiting >= self._waiting_max:
            raise self._refusal("The model is overloaded.")
        self._waiting += 1
        begun = time.monotonic()
        try:
            async with asyncio.timeout(budget.seconds):
                yield
        except TimeoutError as error:
            raise self._refusal(self._reason() or "The model is overloaded.") from error
        finally:
            self._waiting -= 1
            budget.seconds -= time.monotonic() - begun

    def _refusal(self, reason: str) -> Unavailable:
        refusal = Unavailable(f"{reason} Please try again later.")
        refusal.retry_seconds = self._retry_seconds
        return refusal


def wait_limits_of(
    model: ModelSettings, settings: Settings, *, reason: Callable[[], str]
) -> dict[Tier, WaitLimits]:
    """Return the limits of each tier of calls; batches wait as long as it takes."""
    seconds = model.remote.patience_seconds if model.is_remote else settings.request_seconds_max

    def limits() -> WaitLimits:
        return WaitLimits(
            waiting_max=settings.interactive_waiting_max, seconds_max=seconds, reason=reason
        )

    flex = WaitLimits(
        waiting_max=settings.flex_waiting_max,
        seconds_max=settings.flex_wait_seconds_max,
        reason=reason,
        retry_seconds=FLEX_RETRY_SECONDS,
    )
    # Calls with priority are not refused because others wait.
    return {Tier.FLEX: flex, Tier.STANDARD: limits(), Tier.PRIORITY: limits()}
