"""The audit log: what each deed leaves there, and what may become of it."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, text, update
from sqlalchemy.exc import IntegrityError

from support.fake_clock import NOON
from support.store.rows import PROJECT, a_file, a_job
from support.store.stores import only_on_postgres, only_on_sqlite
from toplu import deed
from toplu.deed import Action, Actor
from toplu.errors import AlreadyExists, ResourceExhausted
from toplu.job import JobId, JobState, ProjectId
from toplu.store.rows.audit import ROUND_MAX, AuditEntry, AuditRows, audit
from toplu.store.rows.caches import CacheRows, StoredCache
from toplu.store.rows.database import Database
from toplu.store.rows.files import FileRows
from toplu.store.rows.jobs import JobRows, NewPart
from toplu.store.rows.keys import IssuedKey, KeyRows
from toplu.store.rows.projects import ProjectRows
from toplu.store.rows.uploads import UploadSession, UploadSessions

OTHER = ProjectId("team-b")
ONE, TWO = JobId("one"), JobId("two")
LATER = NOON + timedelta(hours=1)
CALLER = Actor(name="key/ci", client="10.0.0.7", call="req_1")


@pytest.fixture
def rows(database: Database) -> AuditRows:
    deed.act_as(CALLER)
    return AuditRows(database)


async def deeds_of(rows: AuditRows) -> list[tuple[Action, str]]:
    """Return what was done and to what, oldest first."""
    return [(it.action, it.name) for it in reversed(await rows.page(100))]


async def test_an_entry_says_who_did_what_and_when(rows: AuditRows, jobs: JobRows) -> None:
    await jobs.create(a_job(), 10)
    (entry,) = await rows.page(10)
    assert entry == AuditEntry(
        id=1,
        at=NOON,
        project=PROJECT,
        actor="key/ci",
        action=Action.BATCH_CREATE,
        name="batches/one",
        client="10.0.0.7",
        call="req_1",
    )


async def test_every_deed_on_a_batch_is_one_entry(rows: AuditRows, jobs: JobRows) -> None:
    part = NewPart(job=a_job("part", part_of=ONE), enqueued_tokens_max=None, cut=())
    await jobs.create(a_job(), 10, parts=[part])
    await jobs.amend(PROJECT, ONE, {"priority": 1}, NOON)
    await jobs.move_batch(ONE, JobState.CANCELLED, NOON)
    await jobs.create(a_job("two", retry_of=ONE), 10)
    await jobs.mark_deleted(PROJECT, ONE, NOON)
    assert await deeds_of(rows) == [
        (Action.BATCH_CREATE, "batches/one"),
        (Action.BATCH_UPDATE, "batches/one"),
        (Action.BATCH_CANCEL, "batches/one"),
        (Action.BATCH_RETRY, "batches/two"),
        (Action.BATCH_DELETE, "batches/one"),
    ]
    assert [it.detail for it in await rows.page(2)] == [None, "of batches/one"]


async def test_what_changes_nothing_leaves_nothing(
    rows: AuditRows, jobs: JobRows, files: FileRows
) -> None:
    await jobs.create(a_job(), 1)
    await jobs.move_batch(ONE, JobState.CANCELLED, NOON)
    await files.create(a_file(), 100)
    before = await rows.page(100)
    await jobs.move_batch(ONE, JobState.CANCELLED, NOON)
    assert await jobs.mark_deleted(OTHER, ONE, NOON) == []
    assert await jobs.amend(PROJECT, TWO, {"priority": 1}, NOON) is None
    assert await files.mark_deleted(PROJECT, "none", NOON) is None
    with pytest.raises(AlreadyExists):
        await files.create(a_file(), 100)
    await jobs.create(a_job("two"), 1)
    with pytest.raises(ResourceExhausted):
        await jobs.create(a_job("three"), 1)
    assert (await rows.page(100))[1:] == before


async def test_the_states_that_the_server_moves_a_batch_to_are_no_deeds(
    rows: AuditRows, jobs: JobRows
) -> None:
    await jobs.create(a_job(), 1)
    await jobs.move(ONE, JobState.EXPIRED, LATER)
    assert len(await rows.page(10)) == 1


async def test_a_file_is_made_by_whoever_began_its_upload(
    rows: AuditRows, database: Database, files: FileRows
) -> None:
    session = UploadSession(
        id_hash="s",
        project=PROJECT,
        actor="key/began",
        file_id=None,
        display_name=None,
        mime_type="jsonl",
        declared_bytes=None,
        created=NOON,
        expires=LATER,
    )
    sessions = UploadSessions(database)
    await sessions.create(session, 10)
    await sessions.finish("s", a_file(), 100)
    await sessions.finish("s", a_file(), 100)
    assert await files.mark_deleted(PROJECT, "results", LATER) is not None
    gone, made = await rows.page(10)
    assert (made.action, made.actor, made.client) == (Action.FILE_CREATE, "key/began", "10.0.0.7")
    assert (gone.action, gone.actor, gone.at) == (Action.FILE_DELETE, "key/ci", LATER)


async def test_caches_keys_and_projects_leave_entries(rows: AuditRows, database: Database) -> None:
    caches, keys = CacheRows(database), KeyRows(database)
    for name, hours in (("c", 1), ("d", 0)):
        cache = StoredCache(
            id=name,
            project=PROJECT,
            model="m",
            engine="m",
            display_name=None,
            tokens=1,
            created=NOON,
            updated=NOON,
            expires=NOON + timedelta(hours=hours),
        )
        await caches.create(cache, b"{}", 10)
    assert await caches.change_expiry(PROJECT, "c", now=NOON, expires=LATER)
    assert not await caches.change_expiry(PROJECT, "none", now=NOON, expires=LATER)
    await caches.delete_expired(NOON)
    await caches.delete(PROJECT, "c", NOON)
    await caches.delete(PROJECT, "c", NOON)
    await keys.add(
        IssuedKey(id="k", sha256="f", project=PROJECT, label="x", prefix="tpl_", created=NOON)
    )
    await keys.revoke("k", NOON)
    await keys.revoke("k", NOON)
    await ProjectRows(database).set_tier(PROJECT, "large", NOON)
    assert await deeds_of(rows) == [
        (Action.CACHE_CREATE, "cachedContents/c"),
        (Action.CACHE_CREATE, "cachedContents/d"),
        (Action.CACHE_UPDATE, "cachedContents/c"),
        (Action.CACHE_DELETE, "cachedContents/d"),
        (Action.CACHE_DELETE, "cachedContents/c"),
        (Action.KEY_CREATE, "keys/k"),
        (Action.KEY_REVOKE, "keys/k"),
        (Action.PROJECT_UPDATE, "projects/team-a"),
    ]


async def test_pages_are_newest_first_and_by_project_time_and_action(
    rows: AuditRows, jobs: JobRows, files: FileRows
) -> None:
    for minutes, name in enumerate(("one", "two", "three")):
        await jobs.create(a_job(name, minutes=minutes), 10)
    await files.create(a_file(project=OTHER), 100)
    first = await rows.page(2)
    assert [it.name for it in first] == ["files/results", "batches/three"]
    rest = await rows.page(2, before=first[-1].id)
    assert [it.name for it in rest] == ["batches/two", "batches/one"]
    assert [it.name for it in await rows.page(9, project=OTHER)] == ["files/results"]
    late = await rows.page(9, project=PROJECT, since=NOON + timedelta(minutes=2))
    assert [it.name for it in late] == ["batches/three"]
    made = await rows.page(9, actions=[Action.FILE_CREATE, Action.FILE_READ])
    assert [it.name for it in made] == ["files/results"]


@pytest.mark.parametrize(
    "statement",
    [
        update(audit).values(actor="somebody else"),
        delete(audit),
        text("UPDATE audit SET at = 0"),
    ],
    ids=str,
)
async def test_no_statement_changes_an_entry_or_removes_one(
    rows: AuditRows, jobs: JobRows, database: Database, statement: object
) -> None:
    await jobs.create(a_job(), 10)
    before = await rows.page(10)
    with pytest.raises(IntegrityError, match="audit log"):
        await database.write(lambda c: c.execute(statement).close())  # type: ignore[call-overload]
    assert await rows.page(10) == before


@only_on_sqlite
async def test_no_statement_replaces_an_entry(
    rows: AuditRows, jobs: JobRows, database: Database
) -> None:
    await refused(rows, jobs, database, "REPLACE INTO audit SELECT * FROM audit")


@only_on_postgres
async def test_no_statement_empties_the_table(
    rows: AuditRows, jobs: JobRows, database: Database
) -> None:
    await refused(rows, jobs, database, "TRUNCATE audit")


async def refused(rows: AuditRows, jobs: JobRows, database: Database, statement: str) -> None:
    await jobs.create(a_job(), 10)
    before = await rows.page(10)
    with pytest.raises(IntegrityError, match="audit log"):
        await database.write(lambda c: c.exec_driver_sql(statement).close())
    assert await rows.page(10) == before


async def test_entries_go_when_they_are_too_old_and_their_numbers_with_them(
    rows: AuditRows, jobs: JobRows
) -> None:
    await jobs.create(a_job("one"), 10)
    await jobs.create(a_job("two", minutes=60), 10)
    assert not await rows.forget_before(NOON)
    assert not await rows.forget_before(LATER)
    assert [it.name for it in await rows.page(10)] == ["batches/two"]
    assert not await rows.forget_before(LATER + timedelta(hours=1))
    await jobs.create(a_job("three", minutes=61), 10)
    (entry,) = await rows.page(10)
    assert entry.id == 3


async def test_old_entries_go_a_bounded_number_at_a_time(rows: AuditRows) -> None:
    entries = [AuditEntry.of(Action.BATCH_READ, PROJECT, "batches/one", NOON)] * (ROUND_MAX + 1)
    await rows.add(entries)
    assert await rows.forget_before(LATER)
    assert len(await rows.page(10)) == 1
    assert not await rows.forget_before(LATER)
    assert await rows.page(10) == []
