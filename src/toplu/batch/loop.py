"""A loop is a step plus a sleep: steps do one unit of work and return when the next is due."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from toplu.disk_faults import is_disk_fault

log = structlog.get_logger()

AT_ONCE = timedelta(0)
AFTER_A_FAULT = timedelta(seconds=1)

Step = Callable[[], Awaitable[timedelta]]


class Wakeup:
    """Wakes a sleeping loop; a hint only, for the next step would find the work anyway."""

    def __init__(self) -> None:
        self._is_set = asyncio.Event()

    def set(self) -> None:
        self._is_set.set()

    async def wait(self, longest: timedelta) -> None:
        """Return when set since the last wait, or after `longest`."""
        try:
            async with asyncio.timeout(longest.total_seconds()):
                await self._is_set.wait()
        except TimeoutError:
            pass
        self._is_set.clear()


class Wakeups:
    """A wakeup for each lane, set alone or all together."""

    def __init__(self, lanes: int) -> None:
        self._of_lane = [Wakeup() for _ in range(lanes)]

    def __getitem__(self, lane: int) -> Wakeup:
        return self._of_lane[lane]

    def set(self) -> None:
        """Wake every lane."""
        for wakeup in self._of_lane:
            wakeup.set()


async def repeat(step: Step, wakeup: Wakeup, name: str) -> None:
    """Take the step again and again; a step that fails is logged and taken again."""
    while True:
        try:
            delay = await step()
        except Exception as fault:
            if is_disk_fault(fault):
                log.error("step_failed", loop=name, reason=fault.strerror)  # noqa: TRY400
            else:
                log.exception("step_failed", loop=name)
            delay = AFTER_A_FAULT
        if delay > AT_ONCE:
            await wakeup.wait(delay)
