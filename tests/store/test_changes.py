"""A commit of another process is seen; one of this process, which it knows of, is not told."""

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert

from support.store.migrated import put_migrated
from toplu.store.rows.changes import Changes
from toplu.store.rows.database import Database
from toplu.store.rows.sqlite import SqliteDatabase
from toplu.store.rows.worker_tables import faults


@contextlib.asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Database]:
    database = await SqliteDatabase.open(path)
    yield database
    await database.close()


@pytest.fixture
async def databases(tmp_path: Path) -> AsyncIterator[tuple[Database, Database]]:
    """Return the database of two processes."""
    path = tmp_path / "toplu.db"
    put_migrated(path)
    async with opened(path) as here, opened(path) as there:
        yield here, there


def note(job: str) -> Callable[[Connection], None]:
    row = insert(faults).values(worker="w", job=job, reason="")
    return lambda connection: connection.execute(row).close()


async def test_a_commit_of_another_process_is_seen_once(
    databases: tuple[Database, Database],
) -> None:
    here, there = databases
    with contextlib.closing(Changes(here)) as changes:
        assert not changes.seen_alone()
        await there.write(note("one"))
        assert changes.seen_alone()
        assert not changes.seen_alone()


async def test_a_commit_of_this_process_is_not_told(databases: tuple[Database, Database]) -> None:
    here, there = databases
    with contextlib.closing(Changes(here)) as changes:
        await here.write(note("one"))
        assert not changes.seen_alone()
        await there.write(note("two"))
        assert changes.seen_alone()
