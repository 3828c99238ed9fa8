"""Lets requests run side by side, except a suspect, which runs alone.

After a crash nobody knows which of the requests in flight was to blame. Each runs again with
nothing beside it: an innocent one is answered and cleared, a guilty one is caught in the act.
Entry is first come, first served, so that no stream of others keeps a suspect waiting.
"""

import asyncio
from collections import deque
from types import TracebackType


class Quarantine:
    """A gate with two ways through it: beside others, or alone."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[asyncio.Future[None], bool]] = deque()
        self._inside = 0
        self._closed = False  # a suspect is alone inside

    def pass_through(self, *, alone: bool) -> "Passage":
        """Return a stay inside, with nobody else if `alone`."""
        return Passage(self, alone=alone)

    async def enter(self, *, alone: bool) -> None:
        """Return when inside, which is until `leave`."""
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
                self.leave()
            else:
                if entry in self._waiting:
                    self._waiting.remove(entry)
                self._admit_waiting()
            raise

    def leave(self) -> None:
        """Let others in."""
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


class Passage:
    """A stay in the quarantine while the body runs, and the wait for it; no generator, as slots."""

    def __init__(self, quarantine: Quarantine, *, alone: bool) -> None:
        self._quarantine = quarantine
        self._alone = alone

    async def __aenter__(self) -> None:
        await self._quarantine.enter(alone=self._alone)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._quarantine.leave()
