"""Rows in a file: how it is made and opened, and others who open the same one."""

import asyncio
import contextlib
import errno
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, text

from support.full_disk import full_disk
from support.store.keys import add_key, key_names
from support.store.migrated import open_migrated
from support.waiting import PATIENCE_SECONDS
from toplu.errors import ConfigurationError
from toplu.job import JobId, Method, ProjectId
from toplu.settings.bounds import KIB
from toplu.store.rows.database import Database
from toplu.store.rows.jobs import JobRows
from toplu.store.rows.sqlite import SqliteDatabase
from toplu.store.rows.sqlite_upgrade import migrate

WRITER = """
import asyncio, sys
from pathlib import Path
from sqlalchemy import text
from toplu.store.rows.sqlite import SqliteDatabase

async def main():
    database = await SqliteDatabase.open(Path(sys.argv[1]))
    statement = "INSERT INTO keys VALUES (:id, :id, 'p', '', '', 0, NULL, 0)"
    for number in range(30):
        row = {"id": f"{sys.argv[2]}-{number}"}
        await database.write(lambda c: c.execute(text(statement), row).close())
    await database.close()

asyncio.run(main())
"""


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await open_migrated(tmp_path / "toplu.db")
    yield database
    await database.close()


async def test_jobs_of_the_first_schema_generate(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    engine = create_engine(f"sqlite:///{path}")
    migrate(engine, "0001")
    row = (
        "INSERT INTO jobs (id, project, model, engine, input_form, state, total, succeeded, failed,"
        " planned, created, updated, expires, deleted)"
        " VALUES ('old', 'p', 'm', 'e', 'FILE', 'PENDING', 0, 0, 0, 0, 1, 1, 1, 0)"
    )
    with engine.begin() as connection:
        connection.execute(text(row))
    engine.dispose()
    database = await SqliteDatabase.open(path)
    job = await JobRows(database).find(ProjectId("p"), JobId("old"))
    await database.close()
    assert job is not None
    assert job.method is Method.GENERATE


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 5000)],
)
async def test_every_connection_is_durable_and_strict(
    database: Database, pragma: str, value: object
) -> None:
    statement = f"PRAGMA {pragma}"
    for run in (database.read, database.write):
        assert await run(lambda c: c.exec_driver_sql(statement).scalar()) == value


async def test_opening_again_keeps_everything(tmp_path: Path) -> None:
    first = await SqliteDatabase.open(tmp_path / "toplu.db")
    await first.write(lambda c: add_key(c, "one"))
    await first.close()
    second = await SqliteDatabase.open(tmp_path / "toplu.db")
    assert await second.read(key_names) == ["one"]
    await second.close()


async def test_a_folder_with_a_percent_sign_is_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "50% off"
    folder.mkdir()
    database = await SqliteDatabase.open(folder / "toplu.db")
    assert await database.read(key_names) == []
    await database.close()
    assert (folder / "toplu.db").exists()


async def test_a_database_of_a_newer_version_is_not_touched(tmp_path: Path) -> None:
    database = await SqliteDatabase.open(tmp_path / "toplu.db")
    await database.write(
        lambda c: c.execute(text("UPDATE alembic_version SET version_num = '9999'")).close()
    )
    await database.close()
    with pytest.raises(ConfigurationError, match="written by a newer version"):
        await SqliteDatabase.open(tmp_path / "toplu.db")


async def test_a_file_that_is_no_database_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "toplu.db").write_bytes(b"this is not a database at all, " * 100)
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        await SqliteDatabase.open(tmp_path / "toplu.db")


async def test_two_processes_write_to_one_new_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "toplu.db"
    processes = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), name]) for name in ("a", "b")
    ]
    assert [await asyncio.to_thread(process.wait, PATIENCE_SECONDS) for process in processes] == [
        0,
        0,
    ]
    database = await SqliteDatabase.open(path)
    assert len(await database.read(key_names)) == 60
    await database.close()


async def test_a_full_database_raises_what_a_full_disk_does(database: Database) -> None:
    await database.write(lambda c: c.exec_driver_sql("PRAGMA max_page_count = 1").close())

    def add_many(connection: Connection) -> None:
        for number in range(1000):
            add_key(connection, f"key-{number}")

    with pytest.raises(OSError, match="No space left on device") as caught:
        await database.write(add_many)
    assert caught.value.errno == errno.ENOSPC
    assert await database.read(key_names) == []
    await database.write(lambda c: c.exec_driver_sql("PRAGMA max_page_count = 100000").close())
    await database.write(add_many)
    assert len(await database.read(key_names)) == 1000


async def test_a_database_that_another_process_writes_to_is_busy(
    database: Database, tmp_path: Path
) -> None:
    await database.write(lambda c: c.exec_driver_sql("PRAGMA busy_timeout = 0").close())
    with contextlib.closing(sqlite3.connect(tmp_path / "toplu.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OSError, match="busy") as caught:
            await database.write(lambda c: add_key(c, "one"))
        assert caught.value.errno == errno.EBUSY
    await database.write(lambda c: add_key(c, "one"))
    assert await database.read(key_names) == ["one"]


async def test_only_what_is_synced_is_durable_at_once(database: Database) -> None:
    def level(connection: Connection) -> int | None:
        return connection.scalar(text("PRAGMA synchronous"))

    full, normal = 2, 1
    assert await database.write(level) == full
    assert await database.write(level, is_synced=False) == normal
    assert await database.write(level) == full


async def test_a_full_disk_keeps_a_new_database_from_being_made(tmp_path: Path) -> None:
    full = full_disk([os.getpid()], file_bytes_max=32 * KIB)
    with full, pytest.raises(OSError, match=os.strerror(errno.EIO)):
        await SqliteDatabase.open(tmp_path / "toplu.db")
    database = await SqliteDatabase.open(tmp_path / "toplu.db")
    await database.close()
