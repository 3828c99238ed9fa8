"""Finds the doors of workers in other processes, by what they say of themselves in rows."""

import asyncio
import hashlib
from collections.abc import Sequence
from functools import partial

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from toplu.api.doors.cluster import ClusterKeys
from toplu.api.doors.elastic_models import ElasticModels
from toplu.api.doors.forwarded_call import DoorClosed
from toplu.api.doors.socket_door import SocketDoor
from toplu.api.http.metrics import PATH as METRICS_PATH
from toplu.workers.roster import Roster, Worker

log = structlog.get_logger()

FIGURES_SECONDS_MAX = 5.0  # monitors wait for ten
# Calls whose bodies begin alike have a prefix in common, which one worker is to keep.
PREFIX_BYTES = 1024


class WorkerDoors:
    """A door for each worker that is there."""

    def __init__(
        self, roster: Roster, elastic: ElasticModels, keys: ClusterKeys | None = None
    ) -> None:
        self._roster = roster
        self._elastic = elastic
        self._keys = keys
        self._open: dict[str, SocketDoor] = {}  # by their addresses

    async def of(self, engine: str, body: bytes) -> Sequence[ASGIApp]:
        """Return the doors of the workers with a replica of the engine; see `Doors`."""
        find = partial(self._workers_with, engine)
        found = await find() or await self._elastic.wait(engine, find)
        prefix = body[:PREFIX_BYTES]
        workers = sorted(found, key=lambda it: _distance(prefix, it))
        return [self._asked(engine, worker.door) for worker in workers if worker.door is not None]

    async def _workers_with(self, engine: str) -> Sequence[Worker]:
        present = await self._roster.present()
        await self._close_all_but({worker.door for worker in present.workers})
        return present.with_engine(engine)

    async def figures(self) -> Sequence[bytes]:
        """Return what all workers answer to a monitor; those that do not, in time, are left out."""
        present = await self._roster.present()
        doors = [self._door(worker.door) for worker in present.workers if worker.door is not None]
        texts = await asyncio.gather(*(_figures_of(door) for door in doors))
        return [text for text in texts if text is not None]

    async def aclose(self) -> None:
        """Break off the calls in flight."""
        await self._close_all_but(set())

    def _door(self, address: str) -> SocketDoor:
        if (door := self._open.get(address)) is None:
            door = self._open[address] = SocketDoor(address, self._keys)
        return door

    def _asked(self, engine: str, address: str) -> ASGIApp:
        door = self._door(address)

        async def ask(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                with self._elastic.calling(engine):
                    await door(scope, receive, send)
            except DoorClosed:
                self._roster.forget()
                raise

        return ask

    async def _close_all_but(self, addresses: set[str | None]) -> None:
        for address in self._open.keys() - addresses:
            await self._open.pop(address).close()


async def _figures_of(door: SocketDoor) -> bytes | None:
    try:
        return await door.read(METRICS_PATH, seconds_max=FIGURES_SECONDS_MAX)
    except DoorClosed as error:
        log.info("figures_missing", reason=str(error))
        return None


def _distance(prefix: bytes, worker: Worker) -> bytes:
    """Return how far the worker is from the prefix: rendezvous hashing (Thaler, Ravishankar).

    A worker that comes or goes moves no prefix between the others.
    """
    return hashlib.blake2b(prefix, key=worker.id.encode()[:64], digest_size=8).digest()
