"""The batches whose answers another one may have: of its project, ended lately, and still there."""

from datetime import timedelta

import pytest

from support.fake_clock import NOON
from support.store.rows import PROJECT, a_file, a_job
from toplu.job import InputForm, JobId, JobState, ProjectId
from toplu.store.rows.database import Database
from toplu.store.rows.files import FileRows
from toplu.store.rows.jobs import JobRows
from toplu.store.rows.reuse import ReuseRows

ASKING = a_job("asking", reuse=True)
SINCE, NOW = NOON - timedelta(hours=1), NOON + timedelta(hours=1)
MOST = 10


@pytest.fixture
def reuse(database: Database) -> ReuseRows:
    return ReuseRows(database)


async def end(jobs: JobRows, name: str, minutes: int = 0, **changes: object) -> None:
    """Keep a job that succeeded, with its results file if it has one."""
    job = a_job(name, **{"reuse": True} | changes)
    await jobs.create(job, unfinished_max=100)
    at = NOON + timedelta(minutes=minutes)
    await jobs.move(job.id, JobState.RUNNING, at)
    file = a_file(f"batch-{name}") if job.input_form is InputForm.FILE else None
    await jobs.succeed(job.id, at, file)


async def found(reuse: ReuseRows, now_minutes: int = 60) -> list[str]:
    now = NOON + timedelta(minutes=now_minutes)
    sources = await reuse.sources(ASKING, SINCE, now, MOST)
    for source in sources:
        assert await reuse.is_source(ASKING, source, SINCE, now)
    return [str(it) for it in sources]


async def test_the_last_to_end_come_first_and_no_more_than_wanted(
    jobs: JobRows, reuse: ReuseRows
) -> None:
    for minutes, name in enumerate(("one", "two", "three")):
        await end(jobs, name, minutes)
    assert await found(reuse) == ["three", "two", "one"]
    assert await reuse.sources(ASKING, SINCE, NOW, 2) == ["three", "two"]


async def test_only_batches_that_lend_are_found(jobs: JobRows, reuse: ReuseRows) -> None:
    await end(jobs, "other-project", project=ProjectId("team-b"))
    await end(jobs, "other-engine", engine="other")
    await end(jobs, "for-itself", reuse=False)
    await jobs.create(a_job("unfinished", reuse=True), unfinished_max=100)
    await jobs.create(a_job("cancelled", reuse=True), unfinished_max=100)
    await jobs.move(JobId("cancelled"), JobState.CANCELLED, NOON)
    assert await found(reuse) == []
    for name in ("other-project", "other-engine", "for-itself", "unfinished", "cancelled"):
        assert not await reuse.is_source(ASKING, JobId(name), SINCE, NOW)


async def test_one_that_ended_too_long_ago_is_not_found(jobs: JobRows, reuse: ReuseRows) -> None:
    await end(jobs, "one")
    assert await reuse.sources(ASKING, NOON + timedelta(seconds=1), NOW, MOST) == []
    assert not await reuse.is_source(ASKING, JobId("one"), NOON + timedelta(seconds=1), NOW)


async def test_one_that_is_deleted_lends_no_more(jobs: JobRows, reuse: ReuseRows) -> None:
    await end(jobs, "one")
    assert await found(reuse) == ["one"]
    await jobs.mark_deleted(PROJECT, JobId("one"), NOON)
    assert await found(reuse) == []
    assert not await reuse.is_source(ASKING, JobId("one"), SINCE, NOW)


async def test_one_whose_results_file_is_gone_lends_no_more(
    jobs: JobRows, files: FileRows, reuse: ReuseRows
) -> None:
    for name in ("deleted", "expired", "inline"):
        form = InputForm.INLINE if name == "inline" else InputForm.FILE
        await end(jobs, name, input_form=form)
    await files.mark_deleted(PROJECT, "batch-deleted", NOON)
    assert await found(reuse) == ["expired", "inline"]
    assert await found(reuse, now_minutes=48 * 60) == ["inline"]
    assert not await reuse.is_source(ASKING, JobId("deleted"), SINCE, NOW)
