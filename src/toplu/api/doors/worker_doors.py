"""Finds the doors of workers in other processes, by what they say of themselves in rows."""

import hashlib
from collections.abc import Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from toplu.api.doors.forwarded_call import DoorClosed
from toplu.api.doors.socket_door import SocketDoor
from toplu.workers.roster import Roster, Worker

# Calls whose bodies begin alike have a prefix in common, which one worker is to keep.
PREFIX_BYTES = 1024


class WorkerDoors:
    """A door for each worker that is there."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self._open: dict[str, SocketDoor] = {}  # by their paths

    async def of(self, engine: str, body: bytes) -> Sequence[ASGIApp]:
        """Return the doors of the workers with a replica of the engine; see `Doors`."""
        present = await self._roster.present()
        await self._close_all_but({worker.door for worker in present.workers})
        prefix = body[:PREFIX_BYTES]
        workers = sorted(present.with_engine(engine), key=lambda it: _distance(prefix, it))
        return [self._door(worker.door) for worker in workers if worker.door is not None]

    async def aclose(self) -> None:
        """Break off the calls in flight."""
        await self._close_all_but(set())

    def _door(self, path: str) -> ASGIApp:
        door = self._open.get(path) or self._open.setdefault(path, SocketDoor(path))

        async def ask(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                await door(scope, receive, send)
            except DoorClosed:
                self._roster.forget()
                raise

        return ask

    async def _close_all_but(self, paths: set[str | None]) -> None:
        for path in self._open.keys() - paths:
            await self._open.pop(path).close()


def _distance(prefix: bytes, worker: Worker) -> bytes:
    """Return how far the worker is from the prefix: rendezvous hashing (Thaler, Ravishankar).

    A worker that comes or goes moves no prefix between the others.
    """
    return hashlib.blake2b(prefix, key=worker.id.encode()[:64], digest_size=8).digest()
