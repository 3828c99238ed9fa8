"""Lets one request at a time be on its way to a lane.

In the engine requests wait in an order of its own. What is brought to a lane for one of them must
not be gone before that one begins, so one at a time is on its way: the one that runs is behind it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class LaneOrder:
    """The queue before each lane of one engine."""

    def __init__(self, lanes: int) -> None:
        self._next = [asyncio.Lock() for _ in range(lanes)]

    def is_taken(self, lane: int) -> bool:
        """Return whether another is next on the lane."""
        return self._next[lane].locked()

    @asynccontextmanager
    async def next_on(self, lane: int) -> AsyncIterator[Callable[[], None]]:
        """Be the next on the lane until what is yielded is called, or the body ends."""
        lock = self._next[lane]
        held = True

        def unblock() -> None:
            nonlocal held
            if held:
                held = False
                lock.release()

        await lock.acquire()
        try:
            yield unblock
        finally:
            unblock()
