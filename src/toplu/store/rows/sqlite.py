"""One SQLite file and the threads that may speak to it: one writer, a few readers.

Readers see the last committed state and never wait for the writer or its fsync, so a poll stays
quick however much is being written. Other processes may open the same file: writes take turns.
"""

import asyncio
import contextlib
import contextvars
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import sqlalchemy
import structlog
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import OperationalError

from toplu import disk_faults
from toplu.clock import SystemClock
from toplu.errors import ConfigurationError
from toplu.store.rows.database import Database, Result
from toplu.store.rows.sqlite_upgrade import copies_with, migrate

log = structlog.get_logger()

READERS = 4
BUSY_MILLISECONDS = 5000
WAL_ATTEMPTS_MAX = 100
WAL_RETRY_SECONDS = 0.05


class SqliteDatabase(Database):
    """The rows in a file: deeds that write come one after the other, of all processes."""

    def __init__(self, path: Path, writer: Engine, reader: Engine) -> None:
        self.path = path
        self._writer = writer
        self._unsynced_writer = writer.execution_options(is_synced=False)  # the same connection
        self._reader = reader
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="database-writer")
        self._reading = ThreadPoolExecutor(READERS, thread_name_prefix="database-reader")

    @classmethod
    async def open(cls, path: Path, *, upgrades: bool = True) -> "SqliteDatabase":
        """Open the file, made or brought up to date as needed; its folder must exist.

        SchemaOlder: that was needed, and `upgrades` does not allow it. OSError: the disk is full or
        broken.
        """
        try:
            return await asyncio.to_thread(cls._open, path, upgrades=upgrades)
        except OperationalError as error:
            if (fault := disk_faults.of_sqlite(error.orig)) is None:
                raise
            raise fault from error

    @classmethod
    def _open(cls, path: Path, *, upgrades: bool = True) -> "SqliteDatabase":
        writer = _connect(path, reads_only=False, pool_size=1)
        try:
            _use_write_ahead_log(writer, path)
            migrate(writer, upgrades=upgrades)
        except BaseException:
            writer.dispose()
            raise
        return cls(path, writer, _connect(path, reads_only=True, pool_size=READERS))

    @property
    def place(self) -> str:
        return str(self.path)

    @property
    def clock(self) -> SystemClock:
        return SystemClock()  # whoever has the file is on this machine

    async def read(self, work: Callable[[Connection], Result]) -> Result:
        return await _run(self._reading, self._reader, work)

    async def write(
        self,
        work: Callable[[Connection], Result],
        *,
        is_synced: bool = True,
        locks_rows: bool = False,  # noqa: ARG002  # here nobody else writes meanwhile
    ) -> Result:
        try:
            writer = self._writer if is_synced else self._unsynced_writer
            result = await _run(self._writing, writer, work)
        except OperationalError as error:
            if (fault := disk_faults.of_sqlite(error.orig)) is None:
                raise
            raise fault from error
        self.commits += 1
        return result

    async def rewrite(self, size_bytes_max: int | None = None) -> bool:
        size_bytes = (await asyncio.to_thread(self.path.stat)).st_size
        if size_bytes_max is not None and size_bytes > size_bytes_max:
            await self._empty_log()
            return False
        # Whoever writes waits meanwhile, in other processes no longer than they wait for a lock.
        return await self._apart("VACUUM") and await self._empty_log()

    @property
    def traces(self) -> str:
        return (
            "Until the server starts next, which writes toplu.db anew, traces of removed rows "
            "may be in pages of it that are not used."
        )

    async def _empty_log(self) -> bool:
        """Put the write-ahead log into the file and cut it to nothing; False: others read it."""
        return await self._apart("PRAGMA wal_checkpoint(TRUNCATE)")

    async def _apart(self, statement: str) -> bool:
        """Run what can be in no transaction, on the writer's connection."""

        def run() -> bool:
            with contextlib.closing(self._writer.raw_connection()) as connection:
                try:
                    row = connection.cursor().execute(statement).fetchone()
                except sqlite3.OperationalError as error:
                    log.warning("database_not_rewritten", step=statement, reason=str(error))
                    return False
            return row is None or not row[0]  # of a checkpoint: whether it was held up

        return await asyncio.get_running_loop().run_in_executor(self._writing, run)

    async def copies_with(self, project: str) -> Sequence[Path]:
        return await asyncio.to_thread(copies_with, self.path, project)

    async def close(self) -> None:
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._reading.shutdown()
        self._writing.shutdown()
        self._reader.dispose()
        self._writer.dispose()


async def _run(
    threads: ThreadPoolExecutor, engine: Engine, work: Callable[[Connection], Result]
) -> Result:
    def transact() -> Result:
        with engine.begin() as connection:
            return work(connection)

    # In the caller's context: it says in whose name this is done.
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(threads, context.run, transact)


def _connect(path: Path, *, reads_only: bool, pool_size: int) -> Engine:
    begin = "BEGIN" if reads_only else "BEGIN IMMEDIATE"
    engine = create_engine(
        sqlalchemy.URL.create("sqlite", database=str(path)),
        pool_size=pool_size,
        max_overflow=0,
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        # Python's own driver would begin transactions late and commit some early: we begin.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
        connection.execute("PRAGMA foreign_keys = ON")
        # What is removed is overwritten, whatever SQLite was built for.
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute(f"PRAGMA query_only = {'ON' if reads_only else 'OFF'}")

    @event.listens_for(engine, "begin")
    def begin_transaction(connection: Connection) -> None:
        if not reads_only:
            is_synced = connection.get_execution_options().get("is_synced", True)
            level = "FULL" if is_synced else "NORMAL"
            connection.exec_driver_sql(f"PRAGMA synchronous = {level}")
        connection.exec_driver_sql(begin)

    return engine


def _use_write_ahead_log(engine: Engine, path: Path) -> None:
    """Set the mode that the file then keeps."""
    for _ in range(WAL_ATTEMPTS_MAX):
        try:
            with contextlib.closing(engine.raw_connection()) as connection:
                connection.cursor().execute("PRAGMA journal_mode = WAL")
        except sqlite3.Error as error:
            # Two processes that make the file at once: SQLite refuses one of them without
            # waiting, whatever the busy timeout says.
            if "locked" not in str(error):
                raise ConfigurationError(f"{path}: cannot be opened: {error}") from error
            time.sleep(WAL_RETRY_SECONDS)
        else:
            return
    raise ConfigurationError(f"{path}: is locked by another process")
