"""Every database: its schema, and how deeds run on it."""

import asyncio
import threading
from datetime import timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, insert, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from support.fake_clock import NOON
from support.store.keys import add_key, key_names
from support.waiting import PATIENCE_SECONDS
from toplu.store.rows import audit, rates, schema, worker_tables
from toplu.store.rows.database import Database
from toplu.store.rows.pages import PageMark

# Each module adds its tables to the same metadata when it is imported.
assert schema.metadata is rates.rates.metadata is worker_tables.workers.metadata
assert schema.metadata is audit.audit.metadata


async def test_the_tables_are_the_sum_of_the_migrations(database: Database) -> None:
    differences = await database.read(
        lambda c: compare_metadata(MigrationContext.configure(c), schema.metadata)
    )
    assert differences == []


async def test_a_difference_between_tables_and_migrations_would_be_seen(
    database: Database,
) -> None:
    await database.write(lambda c: c.execute(text("ALTER TABLE jobs DROP COLUMN model")).close())
    differences = await database.read(
        lambda c: compare_metadata(MigrationContext.configure(c), schema.metadata)
    )
    assert len(differences) == 1


async def test_a_deed_that_raises_changes_nothing(database: Database) -> None:
    def fail(connection: Connection) -> None:
        add_key(connection, "half")
        raise ValueError("after the first write")

    with pytest.raises(ValueError, match="after the first write"):
        await database.write(fail)
    assert await database.read(key_names) == []


async def test_reading_cannot_change_anything(database: Database) -> None:
    with pytest.raises(DBAPIError, match=r"readonly|read-only"):
        await database.read(lambda c: add_key(c, "one"))


async def test_foreign_keys_hold(database: Database) -> None:
    whole = {"number": 0, "first": 0, "count": 1, "succeeded": 0, "failed": 0, "epoch": 0}
    statement = insert(schema.shards).values(job="none", done=False, **whole)
    with pytest.raises(IntegrityError):
        await database.write(lambda c: c.execute(statement).close())


async def test_a_reader_does_not_wait_for_the_writer(database: Database) -> None:
    writing, go_on = threading.Event(), threading.Event()

    def write_slowly(connection: Connection) -> None:
        add_key(connection, "slow")
        writing.set()
        assert go_on.wait(timeout=PATIENCE_SECONDS)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(database.write(write_slowly))
        assert await asyncio.to_thread(writing.wait, PATIENCE_SECONDS)
        # Were this to wait, the writer would wait for it in turn and give up.
        assert await database.read(key_names) == []
        go_on.set()
    assert await database.read(key_names) == ["slow"]


def test_times_keep_their_microseconds() -> None:
    moment = NOON + timedelta(days=365 * 40, microseconds=1)
    kept = schema.Moment().process_bind_param(moment, None)
    assert schema.Moment().process_result_value(kept, None) == moment


def test_a_page_token_brings_back_its_mark() -> None:
    mark = PageMark(NOON + timedelta(microseconds=7), "batch-1")
    assert PageMark.of_token(mark.token) == mark
