"""A clock that stands still until a test moves it."""

import asyncio
from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


class FakeClock:
    """Keeps the time that it was set to; sleepers wake when `advance` passes their moment."""

    def __init__(self, now: datetime = NOON) -> None:
        self._now = now
        self._sleepers: list[tuple[datetime, asyncio.Event]] = []
        self._arrived = asyncio.Event()

    def now(self) -> datetime:
        return self._now

    def elapsed(self) -> float:
        return self._now.timestamp()

    def advance(self, span: timedelta) -> None:
        self._now += span
        for wakes, rung in self._sleepers:
            if wakes <= self._now:
                rung.set()

    async def sleep(self, span: timedelta) -> None:
        sleeper = (self._now + span, asyncio.Event())
        if sleeper[0] <= self._now:
            await asyncio.sleep(0)
            return
        self._sleepers.append(sleeper)
        self._arrived.set()
        try:
            await sleeper[1].wait()
        finally:
            self._sleepers.remove(sleeper)

    async def wait_for_sleepers(self, count: int = 1) -> None:
        """Return when so many tasks sleep, which is when `advance` has somebody to wake."""
        while len(self._sleepers) < count:
            self._arrived.clear()
            await self._arrived.wait()
