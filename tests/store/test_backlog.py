"""The sums of all that is unfinished or kept."""

from dataclasses import replace
from datetime import timedelta

from support.fake_clock import NOON, FakeClock
from support.store.rows import PROJECT, a_file, a_job, keep_planned, lease, progress
from toplu.job import Experience, JobId, JobState, ProjectId, RequestCounts, Share
from toplu.money import Usage
from toplu.store.rows.backlog import BacklogRows, Cohort
from toplu.store.rows.database import Database
from toplu.store.rows.files import FileRows
from toplu.store.rows.jobs import JobRows

HOUR = timedelta(hours=1)


async def cohorts(database: Database, at: timedelta = HOUR) -> list[Cohort]:
    now = NOON + at
    found = await BacklogRows(database).cohorts(late_if_created=now - 24 * HOUR, now=now)
    return sorted(found, key=lambda it: (it.engine, it.state, it.created_first))


async def test_unfinished_jobs_are_summed_by_engine_state_and_age(
    database: Database, jobs: JobRows, clock: FakeClock
) -> None:
    await keep_planned(jobs, a_job("one", tokens_estimate=100), 2, 2)
    held = await lease(jobs, clock)
    assert held is not None
    await jobs.record([progress(held, 1, failed=1)], NOON)
    await jobs.create(a_job("unplanned", minutes=5, tokens_estimate=7), unfinished_max=9)
    await keep_planned(jobs, a_job("two", minutes=6, tokens_estimate=5), 3)
    await jobs.create(a_job("later", minutes=16, tokens_estimate=11), unfinished_max=9)
    await jobs.create(a_job("other", engine="other", tokens_estimate=3), unfinished_max=9)
    await jobs.create(a_job("over", tokens_estimate=1000), unfinished_max=9)
    await jobs.move(JobId("over"), JobState.CANCELLED, NOON)
    found = [
        (it.engine, it.state, it.jobs, it.tokens_estimate, it.tokens_unplanned, it.counts)
        for it in await cohorts(database)
    ]
    assert found == [
        ("echo", "PENDING", 2, 5, 7, RequestCounts(total=3)),
        ("echo", "PENDING", 1, 0, 11, RequestCounts()),
        ("echo", "RUNNING", 1, 100, 0, RequestCounts(total=4, succeeded=1, failed=1)),
        ("other", "PENDING", 1, 0, 3, RequestCounts()),
    ]


async def test_late_is_what_was_created_a_day_ago_or_has_expired(
    database: Database, jobs: JobRows
) -> None:
    await jobs.create(a_job("old"), unfinished_max=9)
    await jobs.create(a_job("short", minutes=5, expires=NOON + HOUR), unfinished_max=9)
    await jobs.create(a_job("new", minutes=10), unfinished_max=9)
    (now,) = await cohorts(database)
    assert (now.jobs, now.late) == (3, 1)
    assert (now.created_first, now.expires_first) == (NOON, NOON + HOUR)
    (later,) = await cohorts(database, 24 * HOUR)
    assert (later.jobs, later.late) == (3, 2)


async def test_tokens_that_wait_are_those_of_requests_without_an_outcome(
    database: Database, jobs: JobRows, clock: FakeClock
) -> None:
    backlog = BacklogRows(database)
    assert await backlog.tokens() == 0
    await keep_planned(jobs, a_job("one", tokens_estimate=100), 2, 2)
    held = await lease(jobs, clock)
    assert held is not None
    await jobs.record([progress(held, 1, failed=1)], NOON)
    await jobs.create(a_job("two", tokens_estimate=7), unfinished_max=9)
    for name, tokens in (("b", 60), ("c", 1)):
        await jobs.create(
            a_job(name, project=ProjectId(f"team-{name}"), tokens_estimate=tokens), unfinished_max=9
        )
    assert await backlog.tokens_by_project(2) == [("team-b", 60), ("team-a", 57)]
    assert await backlog.tokens() == 118


async def test_experience_is_that_of_all_projects_together(
    database: Database, jobs: JobRows, clock: FakeClock
) -> None:
    backlog = BacklogRows(database)
    assert await backlog.experience() == {}
    for name in ("one", "two"):
        await keep_planned(jobs, a_job(name, project=ProjectId(f"team-{name}")), 1)
        held = await lease(jobs, clock, share=Share())
        assert held is not None
        used = Usage(prompt_tokens=10, output_tokens=2)
        await jobs.record([replace(progress(held, 1), usage=used)], NOON)
        await jobs.succeed(JobId(name), NOON)
    known = await backlog.experience()
    assert known["echo"] == Experience(answers=2, usage=Usage(prompt_tokens=20, output_tokens=4))


async def test_files_count_until_they_are_deleted(database: Database) -> None:
    rows, backlog = FileRows(database), BacklogRows(database)
    assert await backlog.file_bytes() == 0
    for name in ("one", "two"):
        await rows.create(a_file(name), 1000)
    assert await backlog.file_bytes() == 20
    await rows.mark_deleted(PROJECT, "one", NOON)
    assert await backlog.file_bytes() == 10
