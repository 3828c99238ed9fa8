"""Where requests wait for a remote engine: as many go through as its servers answer best.

Interactive calls go before those of batches. The limit moves with what the servers yield, and
is nothing while all of them are busy or away.
"""

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from toplu.fleet.remote.group import ServerGroup


class ServerGate:
    """The places of a group of servers; lanes only share out the work of batches among them."""

    def __init__(self, group: ServerGroup[Any], *, lanes: int) -> None:
        self._lanes = lanes
        self._group = group
        group.on_room = self._admit
        self._inside = 0
        self._interactive: deque[asyncio.Future[None]] = deque()
        self._batch: deque[asyncio.Future[None]] = deque()
        self._alarm: asyncio.TimerHandle | None = None

    @property
    def count(self) -> int:
        return self._lanes

    @property
    def window(self) -> int:
        return math.ceil(self._group.capacity_max / self._lanes)

    @property
    def reason(self) -> str:
        return self._group.reason

    @asynccontextmanager
    async def place(self, *, interactive: bool, lane: int | None = None) -> AsyncIterator[int]:
        """Hold a place; the lane means nothing to the servers."""
        await self._enter(self._interactive if interactive else self._batch)
        try:
            yield lane or 0
        finally:
            self._leave()

    async def _enter(self, queue: deque[asyncio.Future[None]]) -> None:
        placed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(placed)
        self._admit()
        try:
            await placed
        except asyncio.CancelledError:
            if placed.done() and not placed.cancelled():
                self._leave()
            elif placed in queue:
                queue.remove(placed)
            raise

    def _leave(self) -> None:
        self._inside -= 1
        self._admit()

    def _admit(self) -> None:
        capacity = self._group.capacity
        for queue in (self._interactive, self._batch):
            while queue and self._inside < capacity:
                placed = queue.popleft()
                # The future of a cancelled call is done before the call itself is told.
                if not placed.done():
                    self._inside += 1
                    placed.set_result(None)
        if self._interactive or self._batch:
            self._set_alarm()

    def _set_alarm(self) -> None:
        """Look again when a pause ends, for nobody will say so."""
        opens_at = self._group.opens_at
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if opens_at is not None:
            seconds = max(0.0, opens_at - self._group.now())
            self._alarm = asyncio.get_running_loop().call_later(seconds, self._admit)
