"""The rows of a project that is deleted: every table is thought of, and sums stay exact."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from support.fake_clock import NOON
from support.store.stores import only_on_sqlite
from toplu.job import ProjectId
from toplu.money import UNITS, Kind, Usage
from toplu.store.rows import ledger_sums
from toplu.store.rows.database import Database
from toplu.store.rows.deletions import DeletionRows, Place, add_places
from toplu.store.rows.ledger import LedgerEntry, LedgerRows
from toplu.store.rows.removal import KEPT, RemovalRows, _conditions
from toplu.store.rows.schema import metadata
from toplu.store.rows.sqlite_upgrade import copies_with

GONE, STAYS = ProjectId("gone"), ProjectId("stays")
# They know nothing of projects, or only ids for as long as a worker is at them.
OF_NO_PROJECT = {"workers", "replicas", "at_work", "faults", "signing_keys", "audit_horizon"}


def test_every_table_is_emptied_or_kept_for_a_reason() -> None:
    emptied = {table.name for table, _ in _conditions(GONE)}
    assert emptied | KEPT | OF_NO_PROJECT == set(metadata.tables)
    assert not emptied & OF_NO_PROJECT


def entry(name: str, project: ProjectId = GONE, **changes: object) -> LedgerEntry:
    values: dict[str, object] = {
        "id": name,
        "project": project,
        "model": "echo",
        "kind": Kind.INTERACTIVE,
        "day": "2026-11-22",
        "requests": 1,
        "usage": Usage(prompt_tokens=1, output_tokens=2),
        "currency": "USD",
        "cost_units": UNITS - 1,
    }
    return LedgerEntry(**values | changes)  # type: ignore[arg-type]


async def merge_all(database: Database) -> None:
    await DeletionRows(database).begin(GONE, NOON)
    rows = RemovalRows(database)
    while await rows.remove_ledger(GONE, keeps_sums=True) or await rows.remove_others(GONE):
        pass


async def test_entries_become_sums_of_the_same_tokens_and_cost(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_sums, "ROUND", 3)
    rows = LedgerRows(database)
    days = ("2026-11-20", "2026-11-21", "2026-11-22")
    await rows.add([entry(f"{day}-{each}", day=day) for day in days for each in range(5)])
    await rows.add([entry("batch", kind=Kind.BATCH), entry("euro", currency="EUR")])
    await rows.add([entry("other", STAYS)])
    before = await rows.totals()
    await merge_all(database)
    assert await rows.totals() == before
    assert await RemovalRows(database).kept(GONE) == {"ledger": 5, "audit": 1}
    assert await rows.usage_of("other") is not None
    assert await RemovalRows(database).left(GONE) == {}


async def test_sums_of_a_name_that_was_used_again_are_added_to(database: Database) -> None:
    rows = LedgerRows(database)
    await rows.add([entry("first")])
    await merge_all(database)
    await rows.add([entry("second")])
    await merge_all(database)
    (total,) = await rows.totals()
    assert (total.requests, total.cost_units) == (2, 2 * (UNITS - 1))
    assert (await RemovalRows(database).kept(GONE))["ledger"] == 1


async def test_places_are_kept_once_and_listed_to_the_end(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toplu.store.rows.deletions.PLACES_ROUND", 2)
    names = ["a", "b", "c"]
    for kind in ("job", "blob"):
        fresh = await database.write(lambda c, kind=kind: add_places(c, GONE, kind, names))
        assert fresh == names
    assert await database.write(lambda c: add_places(c, GONE, "job", ["a", "d"])) == ["d"]
    deletions = DeletionRows(database)
    found: list[Place] = []
    while page := await deletions.places(GONE, found[-1] if found else None):
        found += page
    assert [(it.kind, it.name) for it in found] == [
        *(("blob", name) for name in names),
        *(("job", name) for name in (*names, "d")),
    ]


@only_on_sqlite
async def test_a_database_that_is_written_anew_has_no_trace_of_removed_rows(
    database: Database, tmp_path: Path
) -> None:
    word = "zq7nightjar"
    rows = LedgerRows(database)
    await rows.add([entry(f"{word}-{each}", model=f"{word}{each}") for each in range(500)])
    await DeletionRows(database).begin(GONE, NOON)
    while await RemovalRows(database).remove_ledger(GONE, keeps_sums=False):
        pass
    assert await DeletionRows(database).rewrite()
    traces = [path for path in tmp_path.iterdir() if word.encode() in path.read_bytes()]
    assert traces == []


@only_on_sqlite
async def test_a_large_database_is_written_anew_by_who_has_it_alone(database: Database) -> None:
    deletions = DeletionRows(database)
    assert not await deletions.rewrite_if_due()
    await deletions.begin(GONE, NOON)
    rewritten = await deletions.rewrite(size_bytes_max=1)
    assert not rewritten
    await deletions.end(GONE, NOON, until=NOON, rewritten=rewritten)
    assert await deletions.rewrite_if_due()
    found = await deletions.find(GONE)
    assert found is not None
    assert found.rewritten
    assert not await deletions.rewrite_if_due()


@only_on_sqlite
async def test_it_waits_for_nobody_who_holds_the_database(
    database: Database, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "toplu.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        await _without_patience(database)
        assert not await database.rewrite()
        other.execute("ROLLBACK")
    assert await database.rewrite()


async def _without_patience(database: Database) -> None:
    """Have the writer wait for no lock: how long it does otherwise is not what is tested."""
    with closing(database._writer.raw_connection()) as connection:
        connection.cursor().execute("PRAGMA busy_timeout = 0")


def test_copies_of_before_upgrades_are_found_that_have_anything_of_the_project(
    tmp_path: Path,
) -> None:
    database = tmp_path / "toplu.db"
    for name, project in (("0001", "gone"), ("0002", "stays"), ("0003", "gone")):
        with closing(sqlite3.connect(tmp_path / f"toplu.db.{name}")) as copy, copy:
            copy.execute("CREATE TABLE jobs (id TEXT, project TEXT)")
            copy.execute("CREATE TABLE projects (id TEXT)")
            table = "jobs (project)" if name == "0001" else "projects (id)"
            copy.execute(f"INSERT INTO {table} VALUES (?)", (project,))
    (tmp_path / "toplu.db.0004").write_bytes(b"damaged" * 999)
    found = {path.suffix for path in copies_with(database, GONE)}
    assert found == {".0001", ".0003", ".0004"}
