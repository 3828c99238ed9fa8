"""Tokens a second of all batches, of the last quarter of an hour, by looks at their counts."""

import asyncio
from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from toplu.clock import Clock
from toplu.job import JobId
from toplu.store.rows.token_counts import TokenCounts

log = structlog.get_logger()

EVERY = timedelta(seconds=5)
KEPT = timedelta(minutes=15)

Point = tuple[float, float]  # seconds since 1970, tokens a second


class TokenRate:
    """Keeps the points of a chart; the newest ones are of jobs of all projects together."""

    def __init__(self, *, clock: Clock, counts: TokenCounts) -> None:
        self._clock = clock
        self._counts = counts
        self._points: deque[Point] = deque(maxlen=int(KEPT / EVERY))
        self._seen: dict[JobId, int] | None = None
        self._looked: datetime | None = None
        self._looking = asyncio.Lock()

    async def points(self) -> Sequence[Point]:
        """Return what is known, the oldest first."""
        await self._look()
        return list(self._points)

    async def work(self) -> None:
        """Look again and again, so that there is a chart when somebody comes; without an end."""
        while True:
            try:
                await self._look()
            except OSError as fault:
                log.info("token_rate_not_read", reason=fault.strerror)  # it has a gap then
            await asyncio.sleep(EVERY.total_seconds())

    async def _look(self) -> None:
        async with self._looking:
            now = self._clock.now()
            # The clock may have been put back.
            if self._looked is not None and self._looked <= now < self._looked + EVERY:
                return
            tokens = await self._counts.since(self._looked or now)
            if self._seen is not None and self._looked is not None and now > self._looked:
                gained = sum(
                    max(0, count - self._seen.get(job, 0)) for job, count in tokens.items()
                )
                seconds = (now - self._looked).total_seconds()
                self._points.append((now.timestamp(), round(gained / seconds, 1)))
            self._seen, self._looked = tokens, now
