"""A deletion goes on wherever it was cut short; what comes late is found; what stays is said."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from support.store.deleted_project import LATER, Town
from support.store.rows import a_file, a_job
from toplu import deed
from toplu.deed import Actor
from toplu.deletion import project_deletion
from toplu.deletion.project_deletion import AFTER_THE_LONGEST_CALL
from toplu.errors import FailedPrecondition, NotFound
from toplu.job import JobId, ProjectId
from toplu.store.rows.audit import AuditRows
from toplu.store.rows.caches import CacheRows
from toplu.store.rows.keys import IssuedKey
from toplu.store.rows.projects import ProjectRows
from toplu.store.rows.sqlite import SqliteDatabase

GONE, STAYS = ProjectId("gone"), ProjectId("stays")
# What may name the project afterwards: the bill, the log of deeds and the report.
NAMED = {"audit.project", "audit.name", "ledger.project", "deletions.project"}


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    deed.act_as(Actor(name="operator/ada"))
    town = await Town.open(tmp_path / "data")
    for project in (GONE, STAYS):
        await town.move_in(project)
    yield town
    await town.database.close()


def check_it_is_gone(town: Town) -> None:
    assert town.files_with(f"{GONE} words") == []
    assert town.files_with(f"{GONE}-words") == []
    assert town.columns_with(GONE) <= NAMED
    assert not list(town.data.uploads.glob(f"{GONE}*"))
    assert not list(town.data.blobs.rglob(f"*{GONE}*"))
    assert not list(town.data.results.glob(f"{GONE}*"))


def what_it_has(town: Town, project: ProjectId) -> set[str]:
    files = (name for name in town.files_with(project) if not name.startswith("toplu.db"))
    return {*town.columns_with(project), *files}


async def test_nothing_is_left_and_the_report_says_so(town: Town) -> None:
    before = what_it_has(town, STAYS)
    report = await town.deletion().run(GONE)
    check_it_is_gone(town)
    assert report.is_proved
    assert report.actor == "operator/ada"
    removed = {it.kind: (it.count, it.size_bytes > 0) for it in report.removed}
    assert removed == {
        "files": (1, True),
        "batches": (2, True),
        "uploads": (1, True),
        "caches": (1, True),
        "keys": (1, False),
        "shares": (1, False),
        "rates": (1, False),
        "spending": (1, False),
        "webhooks": (1, False),
        "webhook secrets": (1, False),
        "deliveries": (1, False),
        "projects": (1, False),
        "idempotency keys": (2, False),
        "ledger entries": (7, False),
        "ledger labels": (6, False),
    }
    assert {it.kind: it.count for it in report.kept} == {
        "ledger sums": 2,
        "audit entries": 9,
        "name": 1,
    }
    assert report.notes == ["Backups that were taken before still have the project."]
    assert town.dropped == ["gone-running"]
    assert what_it_has(town, STAYS) == before


async def test_the_bill_is_the_same_without_labels(town: Town) -> None:
    before = await town.ledger.totals(project=GONE)
    await town.deletion().run(GONE)
    assert [it for it in await town.ledger.totals(project=GONE) if it.kind == "interactive"] == [
        it for it in before if it.kind == "interactive"
    ]
    assert await town.ledger.label_totals(project=GONE) == []
    assert await town.ledger.label_totals(project=STAYS) != []


async def test_the_ledger_goes_as_well_where_that_is_set(town: Town) -> None:
    report = await town.deletion(deleted_project_ledger="nothing").run(GONE)
    assert await town.ledger.totals(project=GONE) == []
    assert [it.kind for it in report.kept] == ["audit entries", "name"]


async def test_the_audit_log_keeps_who_did_what_and_no_name_of_a_file(town: Town) -> None:
    await town.deletion().run(GONE)
    entries = await AuditRows(town.database).page(100, project=GONE)
    assert [(it.action, it.name, it.actor) for it in entries[:2]] == [
        ("project.delete", "projects/gone", "operator/ada"),
        ("project.delete", "projects/gone", "operator/ada"),
    ]
    assert entries[1].detail == "begun"
    assert (entries[0].detail or "").startswith("ended: 1 files, 2 batches")
    assert {it.name for it in entries if it.action.startswith("file.")} == {"files/-"}
    others = await AuditRows(town.database).page(100, project=STAYS)
    assert {it.name for it in others if it.action.startswith("file.")} == {"files/stays-words"}


class Killed(BaseException):
    """The end of the process."""


def killed_at(number: int, monkeypatch: pytest.MonkeyPatch, *, is_written: bool) -> None:
    """Have the process end before that write of the database, or right behind it."""
    write, count = SqliteDatabase.write, 0

    async def count_and_write(
        self: SqliteDatabase, work: Callable[[Connection], Any], **how: Any
    ) -> Any:
        nonlocal count
        count += 1
        if count == number and not is_written:
            raise Killed
        result = await write(self, work, **how)
        if count == number:
            raise Killed
        return result

    monkeypatch.setattr(SqliteDatabase, "write", count_and_write)


WRITES = 17  # of the deletion of a town's project


@pytest.mark.parametrize("is_written", [False, True])
@pytest.mark.parametrize("number", range(1, WRITES + 1))
async def test_a_deletion_that_is_killed_at_any_write_is_gone_on_with(
    town: Town, monkeypatch: pytest.MonkeyPatch, number: int, *, is_written: bool
) -> None:
    with monkeypatch.context() as killing:
        killed_at(number, killing, is_written=is_written)
        with pytest.raises(Killed):
            await town.deletion().run(GONE)
    report = await town.deletion().run(GONE)
    assert report.is_proved
    check_it_is_gone(town)
    removed = {it.kind: it.count for it in report.removed}
    assert (removed["batches"], removed["files"], removed["uploads"]) == (2, 1, 1)
    assert (removed["ledger entries"], removed["keys"]) == (7, 1)


async def test_a_server_goes_on_step_by_step(town: Town) -> None:
    await town.deletions.begin(GONE, LATER)
    deletion = town.deletion(is_alone=False)
    steps = 1
    while await deletion.go_on(town.clock.now()):
        steps += 1
    assert steps > 1
    check_nothing_of_it_is_left_but_its_places(town)
    assert (await town.deletion(is_alone=False).run(GONE)).is_proved


def check_nothing_of_it_is_left_but_its_places(town: Town) -> None:
    assert town.columns_with(GONE) - NAMED <= {"deletion_places.project", "deletion_places.name"}
    assert town.files_with(f"{GONE} words") == []


async def test_beside_a_server_what_comes_late_goes_before_the_name_is_free(town: Town) -> None:
    server = town.deletion(is_alone=False)
    report = await server.run(GONE)
    assert report.is_proved
    assert any("may still leave entries" in note for note in report.notes)
    # A call and a worker that had begun before.
    await town.enter(GONE, "late", "gone words")
    late = town.data.results / "gone-running" / "0-1.log"
    late.parent.mkdir()
    late.write_text("gone words")
    assert not await server.go_on(town.clock.now())
    assert late.exists()
    town.clock.advance(timedelta(seconds=600) + AFTER_THE_LONGEST_CALL)
    while await server.go_on(town.clock.now()):
        pass
    assert not await server.go_on(town.clock.now())
    check_it_is_gone(town)
    again = await server.run(GONE)
    assert again.is_proved
    assert again.begun == report.begun


async def test_what_workers_hold_on_to_is_named_and_the_deletion_goes_on(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = town.data.prefixes / "worker" / "engine" / "gonecache"
    prefix.parent.mkdir(parents=True)
    prefix.write_text("computed")
    monkeypatch.setattr(project_deletion, "PATIENCE", timedelta())
    report = await town.deletion(is_alone=False).run(GONE)
    assert not report.is_proved
    assert report.ended is None
    assert [(it.kind, it.count) for it in report.left] == [("files of cache gonecache", 1)]
    assert town.rung > 0
    prefix.unlink()
    assert (await town.deletion(is_alone=False).run(GONE)).is_proved


async def test_nothing_new_is_made_while_it_goes(town: Town) -> None:
    await town.deletions.begin(GONE, LATER)
    key = IssuedKey(id="k2", sha256="s", project=GONE, label="", prefix="tpl_", created=LATER)
    for make in (
        town.jobs.create(a_job("new", project=GONE), 10),
        town.files.create(a_file("new", project=GONE), 100),
        town.keys.add(key),
        ProjectRows(town.database).set_tier(GONE, "large", LATER),
        CacheRows(town.database).check(GONE, LATER, 10),
    ):
        with pytest.raises(FailedPrecondition, match="The project gone is being deleted"):
            await make
    await town.jobs.create(a_job("other", project=STAYS), 10)


async def test_its_keys_open_nothing_from_the_first_moment_on(town: Town) -> None:
    assert await town.keys.holder_of("gonesum") is not None
    await town.deletions.begin(GONE, LATER)
    assert await town.keys.holder_of("gonesum") is None


async def test_the_last_key_that_goes_does_not_open_the_api(tmp_path: Path) -> None:
    town = await Town.open(tmp_path / "data")
    assert not await town.keys.any_exist()
    await town.move_in(GONE)
    await town.deletion().run(GONE)
    assert await town.keys.all() == []
    assert await town.keys.any_exist()
    await town.database.close()


async def test_a_name_may_be_used_again_and_deleted_again(town: Town) -> None:
    first = await town.deletion().run(GONE)
    await town.jobs.create(a_job("new", project=GONE, created=LATER), 10)
    second = await town.deletion().run(GONE)
    assert {it.kind: it.count for it in second.removed} == {"batches": 1, "ledger entries": 1}
    assert second.is_proved
    assert first.is_proved
    assert await town.jobs.find(GONE, JobId("new")) is None


async def test_a_project_that_never_was_cannot_be_deleted(town: Town) -> None:
    with pytest.raises(NotFound, match="'nobody'"):
        await town.deletion().run(ProjectId("nobody"))
