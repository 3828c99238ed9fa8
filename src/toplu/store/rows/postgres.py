"""The rows on a PostgreSQL server, which many machines share.

Deeds run beside each other, each as if it had been alone: SERIALIZABLE, and again if it collides
with another. The few that are hot, or that many do to the same rows, lock what they go by instead.
Where the server is away, deeds are tried again for a while. Of one whose COMMIT was not answered
the server itself is asked, afterwards, whether it has happened.
"""

import asyncio
import contextlib
import contextvars
import functools
import random
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import structlog
from sqlalchemy import URL, Connection, Engine, create_engine, event, func, make_url, select
from sqlalchemy.exc import ArgumentError, DBAPIError

from toplu.disk_faults import StorageAway
from toplu.errors import ConfigurationError
from toplu.store.rows.database import Database, Result
from toplu.store.rows.locks import Collision
from toplu.store.rows.migrating import bring_up_to_date
from toplu.store.rows.postgres_deed import Deed
from toplu.store.rows.postgres_faults import Fault, Unanswered, error_of, kind_of, reason_of
from toplu.store.rows.server_clock import ServerClock

log = structlog.get_logger()

DRIVER = "postgresql+psycopg"
VERSION_MIN = 15
CONNECTIONS = 8
COLLISIONS_MAX = 5  # of one deed, before it is given up
COLLISION_SECONDS = 0.005  # the first pause at most; it doubles
AWAY_SECONDS = 0.1  # between two tries
AWAY_SECONDS_MAX = 5.0  # a deed is tried again for so long
MIGRATING = 0x746F706C75  # the lock of who migrates
CHANNEL = "toplu"  # of notices
CONNECTION = {
    "application_name": "toplu",
    "connect_timeout": 5,
    # A server that is gone without a word is found out.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "target_session_attrs": "read-write",  # of several hosts that a URL names, the one that leads
    # A process that stands still holds up nobody for long.
    "options": "-c lock_timeout=10s -c statement_timeout=60s "
    "-c idle_in_transaction_session_timeout=30s",
}


class PostgresDatabase(Database):
    """Runs deeds on a bounded number of connections, one half of them for those that read."""

    def __init__(self, place: str, engine: Engine, connections_max: int) -> None:
        self._place = place
        self._clock = ServerClock(place)
        self._engine = engine
        self._away = False
        writers = connections_max // 2
        self._writing = ThreadPoolExecutor(writers, thread_name_prefix="database-writer")
        self._reading = ThreadPoolExecutor(
            connections_max - writers, thread_name_prefix="database-reader"
        )

    @classmethod
    async def open(
        cls, url: str, *, upgrades: bool = False, connections_max: int = CONNECTIONS
    ) -> Self:
        """Connect to the server, and bring the tables up to date if `upgrades` allows it.

        ConfigurationError: the URL is none, nobody answers there, or a newer version wrote the
        tables. SchemaOlder: an older one did, and `upgrades` does not allow it.
        """
        engine = _connect(url, connections_max)
        database = cls(_place_of(engine), engine, connections_max)
        try:
            await database._prepare(upgrades=upgrades)
        except BaseException:
            await database.close()
            raise
        return database

    async def _prepare(self, *, upgrades: bool) -> None:
        def look(connection: Connection) -> None:
            number = connection.exec_driver_sql("SHOW server_version_num").scalar_one()
            version = int(number) // 10_000
            if version < VERSION_MIN:
                raise ConfigurationError(
                    f"{self.place}: is PostgreSQL {version}; {VERSION_MIN} or newer is needed"
                )
            if upgrades:
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATING})")
            bring_up_to_date(connection, self.place, upgrades=upgrades)

        try:
            await (self.write(look, locks_rows=True) if upgrades else self.read(look))
        except (DBAPIError, OSError) as error:
            reason = reason_of(error if isinstance(error, DBAPIError) else error.__cause__ or error)
            raise ConfigurationError(f"{self.place}: cannot be opened: {reason}") from error

    @property
    def place(self) -> str:
        return self._place

    @property
    def clock(self) -> ServerClock:
        return self._clock

    async def read(self, work: Callable[[Connection], Result]) -> Result:
        deed = Deed(self._engine, work, isolation_level="REPEATABLE READ", postgresql_readonly=True)
        return await self._persist(self._reading, deed)

    async def write(
        self,
        work: Callable[[Connection], Result],
        *,
        is_synced: bool = True,
        locks_rows: bool = False,
    ) -> Result:
        level = "READ COMMITTED" if locks_rows else "SERIALIZABLE"
        deed = Deed(self._engine, work, is_synced=is_synced, isolation_level=level)
        result = await self._persist(self._writing, deed)
        self.commits += 1
        return result

    async def _persist(self, threads: ThreadPoolExecutor, deed: Deed[Result]) -> Result:
        """Try the deed until it is done, or it is no use."""
        # In the caller's context: it says in whose name this is done.
        attempt = functools.partial(contextvars.copy_context().run, deed.attempt)
        collisions, end = 0, time.monotonic() + AWAY_SECONDS_MAX
        while True:
            try:
                result = await asyncio.get_running_loop().run_in_executor(threads, attempt)
            except (DBAPIError, Collision, Unanswered) as error:
                fault = kind_of(error)
                self._note(error, is_away=fault is Fault.AWAY)
                collisions += fault is Fault.COLLISION
                is_over = time.monotonic() > end or collisions > COLLISIONS_MAX
                if fault is Fault.OTHER or is_over:
                    raise error_of(error) from error
                longest = AWAY_SECONDS if fault is Fault.AWAY else COLLISION_SECONDS * 2**collisions
                await asyncio.sleep(longest * random.uniform(0.5, 1))  # noqa: S311  # no secret
            else:
                self._note(None, is_away=False)
                if deed.told is not None:
                    self._clock.note(deed.told)
                return result

    def _note(self, error: Exception | None, *, is_away: bool) -> None:
        """Have the log say when the server goes away, and when it comes back."""
        if is_away and not self._away:
            assert error is not None, "something says that it is away"
            log.warning("rows_away", place=self.place, reason=reason_of(error))
        elif self._away and not is_away:
            log.info("rows_back", place=self.place)
        self._away = is_away

    async def notify(self, text: str) -> None:
        """Have all that listen hear the text, this process too."""
        query = select(func.pg_notify(CHANNEL, text))
        await self.write(lambda c: c.execute(query).close(), is_synced=False, locks_rows=True)

    async def notices(self) -> AsyncGenerator[str, None]:
        """Yield what is told, on a connection of its own; first an empty text, when that is there.

        OSError: the connection is lost, and with it what is told until there is another one.
        """
        import psycopg

        arguments, options = self._engine.dialect.create_connect_args(self._engine.url)
        try:
            async with await psycopg.AsyncConnection.connect(
                *arguments, **{**options, **CONNECTION}, autocommit=True
            ) as connection:
                await connection.execute(f"LISTEN {CHANNEL}")
                yield ""
                async for notice in connection.notifies():
                    yield notice.payload
        except psycopg.OperationalError as error:
            raise StorageAway from error

    async def rewrite(self, size_bytes_max: int | None = None) -> bool:  # noqa: ARG002  # none is small enough
        return False  # it would keep everybody from the tables

    @property
    def traces(self) -> str:
        return (
            "PostgreSQL keeps removed rows in its files until it is told `VACUUM FULL`, in its log "
            "(WAL) and in copies for as long as these are kept: that is for its operator to do."
        )

    async def copies_with(self, project: str) -> Sequence[Path]:  # noqa: ARG002  # of nobody
        return []  # copies are made by the tools of the database

    async def close(self) -> None:
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._reading.shutdown()
        self._writing.shutdown()
        self._engine.dispose()


def _connect(url: str, connections_max: int) -> Engine:
    try:
        parsed = make_url(url)
    except ArgumentError:
        # Not printed: it may have a password in it.
        raise ConfigurationError("store: the URL is none; it begins with postgresql://") from None
    if parsed.drivername not in {"postgresql", "postgres", DRIVER}:
        raise ConfigurationError(
            f"store: {parsed.drivername}:// is not known; a URL begins with postgresql://"
        )
    try:
        engine = create_engine(
            parsed.set(drivername=DRIVER),
            pool_size=connections_max,
            max_overflow=0,
            connect_args=CONNECTION,
            hide_parameters=True,  # what clients wrote is not for the log
        )
    except ImportError:
        raise ConfigurationError(
            "store: rows on PostgreSQL need its driver: pip install 'toplu[postgres]'"
        ) from None
    event.listen(engine, "connect", _read_sums_as_integers)
    return engine


def _read_sums_as_integers(connection: Any, _record: Any) -> None:
    """Have what PostgreSQL calls numeric be an int: there is none but sums of integers."""
    from psycopg.adapt import Loader

    class IntLoader(Loader):
        def load(self, data: Any) -> int:
            return int(bytes(data))

    with contextlib.suppress(AttributeError):
        connection.adapters.register_loader("numeric", IntLoader)


def _place_of(engine: Engine) -> str:
    """Return the URL without what may be secret in it."""
    url = engine.url
    public = URL.create("postgresql", url.username, None, url.host, url.port, url.database)
    return public.render_as_string()
