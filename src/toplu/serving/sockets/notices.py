"""Bells through the database, where processes are on many machines; see `serving.sockets.bell`.

A commit and its notice are two transactions: NOTIFY in each commit costs who writes much.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import structlog

from toplu.batch.loop import AFTER_A_FAULT
from toplu.serving.sockets.bell import Listener
from toplu.store.rows.postgres import PostgresDatabase

log = structlog.get_logger()

LOOK_SECONDS = 1.0
WAITING_MAX = 256  # of words that are to be told; beyond it others find the work by looking


class Notices:
    """Rings the bells of all processes of a database but this one."""

    def __init__(self, database: PostgresDatabase, name: str) -> None:
        self._database = database
        self._name = name
        self._waiting: dict[str, None] = {}  # what is said twice is told once
        self._is_any = asyncio.Event()

    def ring(self, words: str) -> None:
        """Have the words told to all that listen; none is waited for, and no fault is raised."""
        if len(self._waiting) < WAITING_MAX:
            self._waiting[words] = None
            self._is_any.set()

    @contextlib.asynccontextmanager
    async def listening(
        self, listener: Listener, look_around: Callable[[], None]
    ) -> AsyncIterator[None]:
        """Tell, and call the listener with what others ring, while the block runs.

        Notices are hints: once a second all `look_around` for themselves.
        """
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(self._tell()),
                tasks.create_task(self._listen(listener)),
                tasks.create_task(_look(look_around)),
            ]
            try:
                yield
            finally:
                for task in running:
                    task.cancel()

    async def _tell(self) -> None:
        while True:
            await self._is_any.wait()
            self._is_any.clear()
            told, self._waiting = self._waiting, {}
            try:
                for words in told:
                    await self._database.notify(f"{self._name} {words}")
            except OSError as fault:
                log.info("notices_not_told", reason=fault.strerror)

    async def _listen(self, listener: Listener) -> None:
        while True:
            try:
                async with contextlib.aclosing(self._database.notices()) as notices:
                    async for notice in notices:
                        name, _, words = notice.partition(" ")
                        if name != self._name:
                            listener(words)
            except OSError as fault:
                log.info("notices_not_heard", reason=fault.strerror)
            await asyncio.sleep(AFTER_A_FAULT.total_seconds())


async def _look(look_around: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        look_around()
