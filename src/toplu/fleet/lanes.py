"""Shares the lanes of one engine: on each one request runs and one waits behind it.

The one behind is already in the engine when the first ends, so that no lane idles for the
time of a round trip. Whoever finds no place waits here. An interactive call takes the emptiest
lane, and goes before every batch call; a batch call waits for the lane that it names, where its
prefix is.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

PLACES_PER_LANE = 2


class Places(Protocol):
    """Where requests for an engine wait until it has a place for them."""

    @property
    def count(self) -> int:
        """How many lanes a batch is spread over."""
        ...

    @property
    def window(self) -> int:
        """How many requests keep a lane busy."""
        ...

    @property
    def reason(self) -> str:
        """Why there is none at the moment, where that is not simply that others have them."""
        ...

    def place(
        self, *, interactive: bool, lane: int | None = None
    ) -> AbstractAsyncContextManager[int]:
        """Hold a place, on this lane if one is named; yield the lane that it is on."""
        ...


class Lanes:
    """The places of one engine."""

    def __init__(self, count: int) -> None:
        self._outstanding = [0] * count
        self._interactive: deque[asyncio.Future[int]] = deque()
        self._pinned: list[deque[asyncio.Future[int]]] = [deque() for _ in range(count)]
        self._batch: deque[asyncio.Future[int]] = deque()  # that may run on any lane

    window = PLACES_PER_LANE
    reason = ""

    @property
    def count(self) -> int:
        return len(self._outstanding)

    @asynccontextmanager
    async def place(self, *, interactive: bool, lane: int | None = None) -> AsyncIterator[int]:
        """Hold a place on the lane, or on the one with the fewest requests; yield the lane."""
        taken = await self._take(interactive=interactive, lane=lane)
        try:
            yield taken
        finally:
            self._release(taken)

    async def _take(self, *, interactive: bool, lane: int | None) -> int:
        # Whoever waits waits for a place that is not free: a released one goes to a waiter at once.
        wanted = self._emptiest() if lane is None else lane
        if self._has_room(wanted):
            return self._occupy(wanted)
        if lane is not None:
            queue = self._pinned[lane]
        else:
            queue = self._interactive if interactive else self._batch
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
        for queue in (self._interactive, self._pinned[lane], self._batch):
            while queue:
                placed = queue.popleft()
                # The future of a cancelled call is done before the call itself is told.
                if not placed.done():
                    placed.set_result(self._occupy(lane))
                    return

    def _emptiest(self) -> int:
        return self._outstanding.index(min(self._outstanding))

    def _has_room(self, lane: int) -> bool:
        return self._outstanding[lane] < PLACES_PER_LANE

    def _occupy(self, lane: int) -> int:
        self._outstanding[lane] += 1
        return lane
