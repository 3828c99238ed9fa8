"""The signals of other processes: through sockets on one machine, through the database on many."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from toplu.batch.signals import Signals
from toplu.serving.sockets.bell import Bell
from toplu.serving.sockets.notices import Notices
from toplu.serving.sockets.socket_folder import socket_folder
from toplu.serving.watch import watch
from toplu.settings.server import Settings
from toplu.store.rows.changes import Changes
from toplu.store.rows.postgres import PostgresDatabase
from toplu.store.rows.sqlite import SqliteDatabase
from toplu.wiring.storage import Storage


def bell_of(settings: Settings, storage: Storage, name: str) -> Bell | Notices:
    """Return what rings for the other processes of the storage."""
    if isinstance(storage.database, PostgresDatabase):
        return Notices(storage.database, name)
    return Bell(socket_folder(settings.data_dir), name)


@contextlib.asynccontextmanager
async def hearing(bell: Bell | Notices, signals: Signals) -> AsyncIterator[None]:
    """Have what others ring be heard, while the block runs."""
    if isinstance(bell, Notices):
        async with bell.listening(signals.hear, signals.hear_all):
            yield
        return
    with contextlib.closing(bell), bell.listening(signals.hear):
        yield


@contextlib.asynccontextmanager
async def looking(storage: Storage, signals: Signals) -> AsyncIterator[None]:
    """Look whether others have committed and nobody rang, while the block runs."""
    if not isinstance(storage.database, SqliteDatabase):
        yield  # notices come with a look of their own
        return
    with contextlib.closing(Changes(storage.database)) as changes:
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(watch(changes, signals))
            try:
                yield
            finally:
                watching.cancel()
