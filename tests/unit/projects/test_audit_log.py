"""The audit log: readings are written once a minute, together, and never lost in silence."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import structlog.testing

from support.fake_clock import FakeClock
from support.store.migrated import open_migrated
from support.store.read_only import read_only
from toplu import deed
from toplu.deed import Action, Actor
from toplu.errors import InvalidArgument
from toplu.job import ProjectId
from toplu.projects import audit_log as audit_log_module
from toplu.projects.audit_log import ONE_READING, PAGE_SIZE_MAX, AuditLog, actions_of
from toplu.store.rows.audit import AuditRows
from toplu.store.rows.database import Database

PROJECT = ProjectId("team-a")


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await open_migrated(tmp_path / "toplu.db")
    yield database
    await database.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def audit(database: Database, clock: FakeClock) -> AuditLog:
    return AuditLog(clock=clock, rows=AuditRows(database))


async def read(audit: AuditLog, name: str = "batches/one") -> None:
    await audit.note_reading(Action.BATCH_READ, PROJECT, name)


async def names_in(audit: AuditLog) -> list[str]:
    entries, _ = await audit.page(size=100)
    return [entry.name for entry in entries]


async def test_what_one_reads_within_a_minute_is_one_entry(
    audit: AuditLog, clock: FakeClock
) -> None:
    for _ in range(3):
        await read(audit)
    assert len(await names_in(audit)) == 1
    clock.advance(ONE_READING)
    await read(audit)
    assert len(await names_in(audit)) == 2


async def test_each_actor_address_and_thing_has_entries_of_its_own(audit: AuditLog) -> None:
    for actor in (
        Actor(name="key/a"),
        Actor(name="key/b"),
        Actor(name="key/b", client="10.0.0.1"),
        Actor(name="key/b", client="10.0.0.1", call="another"),
    ):
        deed.act_as(actor)
        await read(audit)
    await read(audit, "batches/two")
    assert await names_in(audit) == ["batches/two", *["batches/one"] * 3]


async def test_readings_that_come_together_are_written_together(
    audit: AuditLog, database: Database
) -> None:
    before = database.commits
    await asyncio.gather(*(read(audit, f"batches/{number}") for number in range(100)))
    assert len(await names_in(audit)) == 100
    assert database.commits - before <= 2


async def test_only_so_many_readings_are_remembered(
    audit: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log_module, "REMEMBERED_MAX", 1)
    for name in ("batches/one", "batches/two", "batches/one"):
        await read(audit, name)
    assert len(await names_in(audit)) == 3


async def test_where_nothing_can_be_written_the_log_has_the_entry(
    audit: AuditLog, database: Database
) -> None:
    deed.act_as(Actor(name="key/ci"))
    with structlog.testing.capture_logs() as logged:
        async with read_only(database):
            await read(audit)
    (line,) = logged
    assert (line["event"], line["log_level"]) == ("audit_not_written", "error")
    assert (line["actor"], line["action"], line["name"]) == ("key/ci", "batch.read", "batches/one")
    assert await names_in(audit) == []


async def test_a_list_is_cut_into_pages(audit: AuditLog, clock: FakeClock) -> None:
    for number in range(5):
        await read(audit, f"batches/{number}")
        clock.advance(timedelta(seconds=1))
    seen, token = await audit.page(size=2)
    while token is not None:
        page, token = await audit.page(size=2, token=token)
        seen += page
    assert [it.name for it in seen] == [f"batches/{number}" for number in reversed(range(5))]


@pytest.mark.parametrize("size", [0, -1, PAGE_SIZE_MAX + 1])
async def test_a_page_has_bounds(audit: AuditLog, size: int) -> None:
    with pytest.raises(InvalidArgument, match=f"1 to {PAGE_SIZE_MAX}"):
        await audit.page(size=size)


@pytest.mark.parametrize("token", ["", "x", "-1", "٣", "9" * 19])
async def test_a_token_of_nobody_is_refused(audit: AuditLog, token: str) -> None:
    with pytest.raises(InvalidArgument, match="page token"):
        await audit.page(size=1, token=token)


def test_actions_are_named_alone_or_by_the_kind_of_thing() -> None:
    assert actions_of("key.revoke") == [Action.KEY_REVOKE]
    assert actions_of("key") == [Action.KEY_CREATE, Action.KEY_REVOKE]
    with pytest.raises(InvalidArgument, match=r"'keys' is no action; those are batch\.create"):
        actions_of("keys")
