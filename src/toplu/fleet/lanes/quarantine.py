"""Lets requests run side by side, except a suspect, which runs alone.

After a crash nobody knows which of the requests in flight was to blame. Each runs again with
nothing beside it: an innocent one is answered and cleared, a guilty one is caught in the act.
Entry is first come, first served, so that no stream of others keeps a suspect waiting.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Quarantine:
    """A gate with two ways through it: beside others, or alone."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[asyncio.Future[None], bool]] = deque()
        self._inside = 0
        self._closed = False  # a suspect is alone inside

    @asynccontextmanager
    async def pass_through(self, *, alone: bool) -> AsyncIterator[None]:
        """Hold a slot, with nobody else inside if `alone`."""
        await self._enter(alone=alone)
        try:
            yield
        finally:
            self._leave()

    async def _enter(self, *, alone: bool) -> None:
        if not self._waiting and self._has_room(alone=alone):
            self._admit(alone=alone)
            return
        admitted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (admitted, alone)
        self._waiting.append(entry)
        try:
            await admitted
        except asyncio.CancelledError:
            if admitted.done() and not admitted.cancelled():
                self._leave()
            else:
                if entry in self._waiting:
                    self._waiting.remove(entry)
                self._admit_waiting()
            raise

    def _leave(self) -> None:
        self._inside -= 1
        self._closed = False
        self._admit_waiting()

    def _has_room(self, *, alone: bool) -> bool:
        return not self._closed and (not alone or self._inside == 0)

    def _admit(self, *, alone: bool) -> None:
        self._inside += 1
        self._closed = alone

    def _admit_waiting(self) -> None:
        while self._waiting and self._has_room(alone=self._waiting[0][1]):
            admitted, alone = self._waiting.popleft()
            # The future of a cancelled call is done before the call itself learns of it.
            if not admitted.done():
                self._admit(alone=alone)
                admitted.set_result(None)
