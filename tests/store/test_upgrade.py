"""Databases of older versions: every migration keeps every row, and a copy stays behind."""

import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

import toplu.store.rows
from support.store.kept_folders import ARCHIVES, KeptFolder
from toplu.errors import ConfigurationError
from toplu.store.rows.migrating import SchemaOlder, known_schemas
from toplu.store.rows.sqlite import SqliteDatabase
from toplu.store.rows.sqlite_upgrade import migrate

Rows = dict[str, list[dict[str, Any]]]  # of each table

SCRIPTS = ScriptDirectory(Path(toplu.store.rows.__file__).with_name("migrations").as_posix())
REVISIONS = [each.revision for each in reversed(list(SCRIPTS.walk_revisions()))]


def rows_of(path: Path) -> Rows:
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {
            table: [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]
            for (table,) in tables.fetchall()
            if table != "alembic_version"
        }


def indexes_of(path: Path) -> set[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as connection:
        found = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        return set(connection.execute(found))


def types_of(path: Path) -> set[tuple[str, str, str]]:
    """Return the table, name and type of each column."""
    with closing(sqlite3.connect(path)) as connection:
        return {
            (table, column, kind)
            for table in rows_of(path)
            for _, column, kind, *_ in connection.execute(f"PRAGMA table_info({table})")
        }


def schema_of(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def still_there(before: Rows, after: Rows) -> Rows:
    """Return the rows of `after` without the tables and columns that came since."""
    return {
        table: [
            {name: row[name] for name in old} for old, row in zip(rows, after[table], strict=True)
        ]
        for table, rows in before.items()
    }


def copies_beside(path: Path) -> list[str]:
    return sorted(each.name for each in path.parent.glob("toplu.db.*"))


def test_migrations_are_named_by_their_schema() -> None:
    assert known_schemas() == REVISIONS


def migrate_to(path: Path, revision: str) -> None:
    engine = create_engine(f"sqlite:///{path}")
    migrate(engine, revision)
    engine.dispose()


@pytest.fixture(params=ARCHIVES, ids=lambda path: path.name)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A database of an older version, its write-ahead log beside it."""
    return KeptFolder.unpack(request.param, tmp_path).data_dir / "toplu.db"


def test_there_is_something_to_upgrade() -> None:
    assert ARCHIVES


async def test_a_database_of_an_older_version_keeps_every_row_and_name(old: Path) -> None:
    rows, types, indexes = rows_of(old), types_of(old), indexes_of(old)
    assert all(rows[table] for table in ("jobs", "shards", "segments", "files", "uploads", "keys"))
    assert all(rows[table] for table in ("projects", "ledger", "shares", "caches"))
    await (await SqliteDatabase.open(old)).close()
    assert schema_of(old) == REVISIONS[-1]
    assert still_there(rows, rows_of(old)) == rows
    assert types <= types_of(old)
    assert indexes <= indexes_of(old)


def test_each_migration_alone_keeps_every_row(old: Path) -> None:
    later = REVISIONS[REVISIONS.index(schema_of(old)) + 1 :]
    assert later, "nothing has changed since: nothing is proved"
    for revision in later:
        before = rows_of(old)
        migrate_to(old, revision)
        assert schema_of(old) == revision
        assert still_there(before, rows_of(old)) == before


def test_each_migration_opens_what_every_earlier_one_left(tmp_path: Path) -> None:
    # Of schemas before the first archive there is none with rows.
    for revision in REVISIONS[:-1]:
        path = tmp_path / f"{revision}.db"
        migrate_to(path, revision)
        migrate_to(path, "head")
        assert schema_of(path) == REVISIONS[-1]


async def test_a_database_is_copied_before_it_is_migrated(old: Path) -> None:
    rows, schema = rows_of(old), schema_of(old)
    await (await SqliteDatabase.open(old)).close()
    copy = old.with_name(f"toplu.db.{schema}")
    assert copies_beside(old) == [copy.name]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert schema_of(copy) == schema
    assert rows_of(copy) == rows


async def test_the_way_back_and_forth_again(old: Path) -> None:
    rows, schema = rows_of(old), schema_of(old)
    await (await SqliteDatabase.open(old)).close()
    for rest in ("toplu.db-wal", "toplu.db-shm"):
        old.with_name(rest).unlink(missing_ok=True)
    shutil.copy(old.with_name(f"toplu.db.{schema}"), old)
    assert rows_of(old) == rows
    await (await SqliteDatabase.open(old)).close()
    assert still_there(rows, rows_of(old)) == rows


async def test_a_new_database_and_one_that_is_up_to_date_are_not_copied(tmp_path: Path) -> None:
    for _ in range(2):
        await (await SqliteDatabase.open(tmp_path / "toplu.db")).close()
    assert copies_beside(tmp_path / "toplu.db") == []


def test_the_last_two_copies_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "toplu.db"
    for revision in REVISIONS:
        migrate_to(path, revision)
    assert copies_beside(path) == [f"toplu.db.{revision}" for revision in REVISIONS[-3:-1]]


def test_the_copy_that_was_just_made_is_kept_though_later_schemas_have_one(tmp_path: Path) -> None:
    path = tmp_path / "toplu.db"
    migrate_to(path, REVISIONS[0])
    first = path.read_bytes()
    for revision in REVISIONS[1:]:
        migrate_to(path, revision)
    path.write_bytes(first)
    migrate_to(path, "head")
    assert copies_beside(path) == [f"toplu.db.{REVISIONS[0]}", f"toplu.db.{REVISIONS[-2]}"]


async def test_a_database_that_cannot_be_copied_is_not_touched(old: Path) -> None:
    rows, schema = rows_of(old), schema_of(old)
    old.with_name(f"toplu.db.{schema}.unfinished").write_bytes(b"left by a crash")
    (old.with_name(f"toplu.db.{schema}") / "in the way").mkdir(parents=True)
    with pytest.raises(ConfigurationError, match="cannot be upgraded"):
        await SqliteDatabase.open(old)
    assert schema_of(old) == schema
    assert rows_of(old) == rows
    assert copies_beside(old) == [f"toplu.db.{schema}"]


def test_a_migration_without_space_leaves_everything_as_it_was(old: Path) -> None:
    rows, schema = rows_of(old), schema_of(old)
    engine = create_engine(f"sqlite:///{old}")
    with engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
    engine.dispose()
    engine = create_engine(f"sqlite:///{old}", pool_size=1)
    with engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(ConfigurationError, match=r"cannot be upgraded: database or disk is full"):
        migrate(engine)
    engine.dispose()
    assert (schema_of(old), rows_of(old)) == (schema, rows)


async def test_only_who_has_the_folder_alone_brings_it_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "toplu.db"
    with pytest.raises(SchemaOlder, match=r"schema none.*toplu migrate"):
        await SqliteDatabase.open(path, upgrades=False)
    await (await SqliteDatabase.open(path)).close()
    await (await SqliteDatabase.open(path, upgrades=False)).close()
