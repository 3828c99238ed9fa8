"""Shares the lanes of one engine: on each one request runs and one waits behind it.

The one behind is already in the engine when the first ends, so that no lane idles for the
time of a round trip. Whoever finds no place waits here, interactive calls before batch calls.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

PLACES_PER_LANE = 2


class Lanes:
    """The places of one engine."""

    def __init__(self, count: int) -> None:
        self._outstanding = [0] * count
        self._interactive: deque[asyncio.Future[int]] = deque()
        self._batch: deque[asyncio.Future[int]] = deque()

    @property
    def places(self) -> int:
        return PLACES_PER_LANE * len(self._outstanding)

    @asynccontextmanager
    async def place(self, *, interactive: bool) -> AsyncIterator[int]:
        """Hold a place on the lane that has the fewest requests; yield the lane."""
        lane = await self._take(self._interactive if interactive else self._batch)
        try:
            yield lane
        finally:
            self._release(lane)

    async def _take(self, queue: deque[asyncio.Future[int]]) -> int:
        # While anybody waits there is no free place: a released one goes to a waiter at once.
        if self._has_room():
            return self._occupy()
        placed: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        queue.append(placed)
        try:
            return await placed
        except asyncio.CancelledError:
            if placed.done() and not placed.cancelled():
                self._release(placed.result())
            elif placed in queue:
                queue.remove(placed)
            raise

    def _release(self, lane: int) -> None:
        self._outstanding[lane] -= 1
        for queue in (self._interactive, self._batch):
            while queue:
                placed = queue.popleft()
                # The future of a cancelled call is done before the call itself is told.
                if not placed.done():
                    placed.set_result(self._occupy())
                    return

    def _has_room(self) -> bool:
        return min(self._outstanding) < PLACES_PER_LANE

    def _occupy(self) -> int:
        lane = self._outstanding.index(min(self._outstanding))
        self._outstanding[lane] += 1
        return lane
