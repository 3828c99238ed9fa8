"""The database: its schema, its two sides, and others who open the same file."""

import asyncio
import contextlib
import errno
import os
import sqlite3
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, create_engine, insert, select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from support.fake_clock import NOON
from support.full_disk import full_disk
from support.waiting import PATIENCE_SECONDS
from toplu.errors import ConfigurationError
from toplu.job import JobId, Method, ProjectId
from toplu.settings.bounds import KIB
from toplu.store.rows import audit, rates, schema, worker_tables
from toplu.store.rows.database import Database
from toplu.store.rows.jobs import JobRows
from toplu.store.rows.pages import PageMark
from toplu.store.rows.upgrade import migrate

WRITER = """
import asyncio, sys
from pathlib import Path
from sqlalchemy import text
from toplu.store.rows.database import Database

async def main():
    database = await Database.open(Path(sys.argv[1]))
    statement = "INSERT INTO keys VALUES (:id, :id, 'p', '', '', 0, NULL, 0)"
    for number in range(30):
        row = {"id": f"{sys.argv[2]}-{number}"}
        await database.write(lambda c: c.execute(text(statement), row).close())
    await database.close()

asyncio.run(main())
"""


# Each module adds its tables to the same metadata when it is imported.
assert schema.metadata is rates.rates.metadata is worker_tables.workers.metadata
assert schema.metadata is audit.audit.metadata


def add_key(connection: Connection, name: str) -> None:
    connection.execute(
        insert(schema.keys).values(
            id=name, sha256=name, project="p", label="", prefix="", created=NOON
        )
    )


def key_names(connection: Connection) -> list[str]:
    return list(connection.scalars(select(schema.keys.c.id).order_by(schema.keys.c.id)))


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
    database = await Database.open(path)
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
    first = await Database.open(tmp_path / "toplu.db")
    await first.write(lambda c: add_key(c, "one"))
    await first.close()
    second = await Database.open(tmp_path / "toplu.db")
    assert await second.read(key_names) == ["one"]
    await second.close()


async def test_a_folder_with_a_percent_sign_is_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "50% off"
    folder.mkdir()
    database = await Database.open(folder / "toplu.db")
    assert await database.read(key_names) == []
    await database.close()
    assert (folder / "toplu.db").exists()


async def test_a_database_of_a_newer_version_is_not_touched(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "toplu.db")
    await database.write(
        lambda c: c.execute(text("UPDATE alembic_version SET version_num = '9999'")).close()
    )
    await database.close()
    with pytest.raises(ConfigurationError, match="written by a newer version"):
        await Database.open(tmp_path / "toplu.db")


async def test_a_file_that_is_no_database_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "toplu.db").write_bytes(b"this is not a database at all, " * 100)
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        await Database.open(tmp_path / "toplu.db")


async def test_a_deed_that_raises_changes_nothing(database: Database) -> None:
    def fail(connection: Connection) -> None:
        add_key(connection, "half")
        raise ValueError("after the first write")

    with pytest.raises(ValueError, match="after the first write"):
        await database.write(fail)
    assert await database.read(key_names) == []


async def test_reading_cannot_change_anything(database: Database) -> None:
    with pytest.raises(OperationalError, match="readonly"):
        await database.read(lambda c: add_key(c, "one"))


async def test_foreign_keys_hold(database: Database) -> None:
    statement = text(
        "INSERT INTO shards (job, number, first, count, succeeded, failed, done, epoch)"
        " VALUES ('none', 0, 0, 1, 0, 0, 0, 0)"
    )
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


async def test_two_processes_write_to_one_new_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "toplu.db"
    processes = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), name]) for name in ("a", "b")
    ]
    assert [await asyncio.to_thread(process.wait, PATIENCE_SECONDS) for process in processes] == [
        0,
        0,
    ]
    database = await Database.open(path)
    assert len(await database.read(key_names)) == 60
    await database.close()


def test_times_keep_their_microseconds() -> None:
    moment = NOON + timedelta(days=365 * 40, microseconds=1)
    kept = schema.Moment().process_bind_param(moment, None)
    assert schema.Moment().process_result_value(kept, None) == moment


def test_a_page_token_brings_back_its_mark() -> None:
    mark = PageMark(NOON + timedelta(microseconds=7), "batch-1")
    assert PageMark.of_token(mark.token) == mark


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
        await Database.open(tmp_path / "toplu.db")
    database = await Database.open(tmp_path / "toplu.db")
    await database.close()
