"""Rows on a server: how it is opened, and what becomes of deeds when it goes away."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import psycopg
import pytest
from sqlalchemy import Connection
from structlog.testing import capture_logs

from support.store.cutting_proxy import CuttingProxy
from support.store.keys import add_key, key_names
from support.store.running_postgres import RunningPostgres
from support.waiting import eventually
from toplu.clock import SystemClock
from toplu.disk_faults import StorageAway
from toplu.errors import ConfigurationError, InvalidArgument
from toplu.store.rows import postgres as store
from toplu.store.rows.migrating import SchemaOlder
from toplu.store.rows.postgres import PostgresDatabase
from toplu.store.rows.workers import database_time

pytestmark = [pytest.mark.postgres, pytest.mark.system]


@pytest.fixture
async def url(postgres: RunningPostgres) -> str:
    return await postgres.migrated()


@pytest.fixture
async def proxy(postgres: RunningPostgres) -> AsyncIterator[CuttingProxy]:
    proxy = CuttingProxy(postgres.port)
    async with proxy.running():
        yield proxy


@pytest.fixture
async def database(
    url: str, proxy: CuttingProxy, postgres: RunningPostgres
) -> AsyncIterator[PostgresDatabase]:
    """A database behind a network that may break."""
    database = await PostgresDatabase.open(url.replace(str(postgres.port), str(proxy.port)))
    yield database
    await database.close()


class Counted:
    """A deed, and how often it was tried."""

    def __init__(self) -> None:
        self.tries = 0

    def __call__(self, connection: Connection) -> str:
        self.tries += 1
        add_key(connection, "one")
        return "done"


async def test_a_commit_that_was_not_answered_is_not_done_again(
    database: PostgresDatabase, proxy: CuttingProxy
) -> None:
    deed = Counted()
    proxy.cuts_after = 1
    assert await database.write(deed) == "done"
    assert (proxy.cuts_after, deed.tries) == (0, 1)
    assert await database.read(key_names) == ["one"]


async def test_a_commit_that_was_not_heard_is_done_again(
    database: PostgresDatabase, proxy: CuttingProxy
) -> None:
    deed = Counted()
    proxy.cuts_before = 2
    assert await database.write(deed, locks_rows=True) == "done"
    assert (proxy.cuts_before, deed.tries) == (0, 3)
    assert await database.read(key_names) == ["one"]


async def test_a_server_that_starts_anew_is_waited_for(
    database: PostgresDatabase, postgres: RunningPostgres
) -> None:
    await database.write(lambda c: add_key(c, "one"))
    postgres.stop()
    async with asyncio.TaskGroup() as tasks:
        writing = [
            tasks.create_task(database.write(lambda c, it=name: add_key(c, it)))
            for name in ("two", "three")
        ]
        assert await asyncio.to_thread(eventually, lambda: database._away)
        postgres.start()  # in this thread: the server ends with the one that started it
    assert all(task.done() for task in writing)
    assert await database.read(key_names) == ["one", "three", "two"]


async def test_a_server_that_stays_away_is_a_storage_that_is_away(
    database: PostgresDatabase, postgres: RunningPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "AWAY_SECONDS_MAX", 0.2)
    postgres.stop()
    try:
        for deed in (database.read(key_names), database.write(lambda c: add_key(c, "one"))):
            with pytest.raises(StorageAway):
                await deed
    finally:
        postgres.start()
    monkeypatch.undo()
    assert await database.read(key_names) == []


async def test_the_servers_clock_rules_whatever_that_of_the_machine_says(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = SystemClock.now

    def off(clock: SystemClock) -> datetime:
        return right(clock) - timedelta(days=3)

    monkeypatch.setattr(SystemClock, "now", off)
    with capture_logs() as logs:
        database = await PostgresDatabase.open(url)
    told = await database.read(database_time)
    assert abs(database.clock.now() - told) < timedelta(hours=1)
    assert "clock_is_off" in [it["event"] for it in logs]
    await database.close()


async def test_notices_are_heard_by_all(url: str) -> None:
    one, two = [await PostgresDatabase.open(url) for _ in range(2)]
    notices = one.notices()
    assert await anext(notices) == ""
    await two.notify("worker-2 planned")
    assert await anext(notices) == "worker-2 planned"
    await notices.aclose()
    await one.close()
    await two.close()


async def test_tables_are_made_once_by_who_is_asked_to(postgres: RunningPostgres) -> None:
    url = postgres.empty()
    with pytest.raises(SchemaOlder, match=r"schema none.*toplu migrate"):
        await PostgresDatabase.open(url)
    both = await asyncio.gather(*(PostgresDatabase.open(url, upgrades=True) for _ in range(2)))
    for database in both:
        assert await database.read(key_names) == []
        await database.close()


async def test_tables_of_a_newer_version_are_not_touched(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    for upgrades in (False, True):
        with pytest.raises(ConfigurationError, match="written by a newer version"):
            await PostgresDatabase.open(url, upgrades=upgrades)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("no url at all hunter2", "begins with postgresql://"),
        ("mysql://u:hunter2@127.0.0.1/x", "mysql:// is not known"),
        ("postgresql://u:hunter2@127.0.0.1:1/x", r"postgresql://u@127.0.0.1:1/x: cannot be opened"),
    ],
)
async def test_a_server_that_cannot_be_used_is_named_without_its_password(
    url: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "AWAY_SECONDS_MAX", 0.2)
    with pytest.raises(ConfigurationError, match=why) as caught:
        await PostgresDatabase.open(url)
    assert "hunter2" not in str(caught.value)


async def test_a_text_that_no_database_of_this_kind_keeps_is_the_callers_mistake(
    database: PostgresDatabase,
) -> None:
    with pytest.raises(InvalidArgument, match=r"U\+0000"):
        await database.write(lambda c: add_key(c, "a\0b"))
