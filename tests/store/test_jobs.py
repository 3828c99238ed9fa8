"""Jobs: created within bounds, listed, moved only as allowed, and removed in two steps."""

from dataclasses import replace
from datetime import timedelta

import pytest

from support.fake_clock import NOON, FakeClock
from support.store.rows import (
    PROJECT,
    a_file,
    a_job,
    due,
    keep_planned,
    lease,
    progress,
    some_shards,
)
from toplu.errors import RequestError, ResourceExhausted
from toplu.job import MOVES, JobId, JobState, ProjectId
from toplu.store.rows.files import FileRows, FileSource
from toplu.store.rows.jobs import JobRows, PageMark
from toplu.store.rows.steps import StepKind

ONE = JobId("one")
LATER = NOON + timedelta(minutes=5)
ERROR = RequestError(code=3, message="unreadable")

# How a job gets into each state.
PATHS: dict[JobState, tuple[JobState, ...]] = {
    JobState.PENDING: (),
    JobState.RUNNING: (JobState.RUNNING,),
    JobState.SUCCEEDED: (JobState.RUNNING, JobState.SUCCEEDED),
    JobState.FAILED: (JobState.FAILED,),
    JobState.CANCELLED: (JobState.CANCELLED,),
    JobState.EXPIRED: (JobState.EXPIRED,),
}


async def test_a_job_is_found_as_it_was_kept(jobs: JobRows) -> None:
    job = a_job(display_name="Ümit 🚀", created=NOON + timedelta(microseconds=123456))
    await jobs.create(job, unfinished_max=1)
    assert await jobs.find(PROJECT, ONE) == job


async def test_a_job_of_another_project_is_not_found(jobs: JobRows) -> None:
    await jobs.create(a_job(), unfinished_max=1)
    assert await jobs.find(ProjectId("team-b"), ONE) is None
    assert await jobs.page(ProjectId("team-b"), 10) == []
    assert await jobs.mark_deleted(ProjectId("team-b"), ONE, NOON) == []


async def test_too_many_unfinished_jobs_are_refused_for_that_project_only(jobs: JobRows) -> None:
    await jobs.create(a_job("one"), unfinished_max=2)
    await jobs.create(a_job("two"), unfinished_max=2)
    with pytest.raises(ResourceExhausted) as caught:
        await jobs.create(a_job("three"), unfinished_max=2)
    assert "batch_concurrent_batches, limit: 2" in caught.value.message
    assert await jobs.find(PROJECT, JobId("three")) is None
    await jobs.create(a_job("four", project=ProjectId("team-b")), unfinished_max=2)
    await jobs.move(ONE, JobState.CANCELLED, NOON)
    await jobs.create(a_job("three"), unfinished_max=2)


async def test_pages_run_from_the_newest_and_meet_every_job_once(jobs: JobRows) -> None:
    # Two of the same moment stand on both sides of a page's end.
    for name, minutes in (("a", 0), ("b", 1), ("c", 1), ("d", 1), ("e", 2)):
        await jobs.create(a_job(name, minutes=minutes), unfinished_max=100)
    seen, after = [], None
    while page := await jobs.page(PROJECT, 2, after):
        seen += [job.id for job in page]
        after = PageMark(page[-1].created, page[-1].id)
    assert seen == ["e", "d", "c", "b", "a"]


async def test_the_oldest_unplanned_job_is_planned_first(jobs: JobRows) -> None:
    await jobs.create(a_job("young", minutes=2), unfinished_max=9)
    await jobs.create(a_job("old", minutes=1), unfinished_max=9)
    await jobs.create(a_job("oldest", minutes=0), unfinished_max=9)
    await jobs.move(JobId("oldest"), JobState.CANCELLED, NOON)
    found = await due(jobs, StepKind.PLAN)
    assert found is not None
    assert found.id == "old"
    shards = some_shards("old", 3, 2)
    assert await jobs.plan(JobId("old"), shards, 5, LATER)
    assert await jobs.shards(JobId("old")) == shards
    planned = await jobs.find(PROJECT, JobId("old"))
    assert planned is not None
    assert (planned.planned, planned.counts.total, planned.updated) == (True, 5, LATER)
    found = await due(jobs, StepKind.PLAN)
    assert found is not None
    assert found.id == "young"


async def test_a_plan_comes_too_late_for_a_job_that_is_final_gone_or_planned(jobs: JobRows) -> None:
    await jobs.create(a_job(), unfinished_max=9)
    await jobs.move(ONE, JobState.CANCELLED, NOON)
    assert not await jobs.plan(ONE, some_shards("one", 1), 1, NOON)
    assert not await jobs.plan(JobId("none"), [], 0, NOON)
    await keep_planned(jobs, a_job("two"), 1)
    assert not await jobs.plan(JobId("two"), some_shards("two", 1), 1, NOON)
    assert await jobs.shards(ONE) == []
    assert len(await jobs.shards(JobId("two"))) == 1


async def test_a_job_without_requests_is_complete_at_once(jobs: JobRows) -> None:
    await keep_planned(jobs, a_job())
    complete = await due(jobs, StepKind.ASSEMBLE)
    assert complete is not None
    assert complete.state is JobState.RUNNING
    assert await jobs.succeed(ONE, LATER) is not None
    assert await due(jobs, StepKind.ASSEMBLE) is None


async def test_a_job_is_complete_when_its_last_shard_is(jobs: JobRows, clock: FakeClock) -> None:
    await keep_planned(jobs, a_job(), 2, 1)
    first = await lease(jobs, clock)
    assert first is not None
    assert await jobs.record([progress(first, 2)], LATER) == []
    assert await due(jobs, StepKind.ASSEMBLE) is None
    second = await lease(jobs, clock)
    assert second is not None
    assert await jobs.record([progress(second, 0, 1)], LATER) == []
    complete = await due(jobs, StepKind.ASSEMBLE)
    assert complete is not None
    assert (complete.counts.succeeded, complete.counts.failed) == (2, 1)


@pytest.mark.parametrize("source", JobState)
@pytest.mark.parametrize("target", JobState)
async def test_only_the_moves_of_a_job_happen(
    jobs: JobRows, source: JobState, target: JobState
) -> None:
    await jobs.create(a_job(), unfinished_max=1)
    for state in PATHS[source]:
        assert await jobs.move(ONE, state, NOON) is not None
    before = await jobs.find(PROJECT, ONE)
    moved = await jobs.move(ONE, target, LATER, ERROR)
    after = await jobs.find(PROJECT, ONE)
    assert before is not None
    assert before.state is source
    if target in MOVES[source]:
        expected = replace(before, state=target, updated=LATER, error=ERROR)
        moment = {"ended" if target.is_final else "started": LATER}
        assert moved == after == replace(expected, **moment)
    else:
        assert moved is None
        assert after == before


async def test_success_and_results_file_appear_together(jobs: JobRows, files: FileRows) -> None:
    await keep_planned(jobs, a_job())
    results = a_file("batch-one", source=FileSource.GENERATED)
    done = await jobs.succeed(ONE, LATER, results)
    assert done is not None
    assert (done.state, done.output_file, done.ended) == (JobState.SUCCEEDED, "batch-one", LATER)
    assert await files.find(PROJECT, "batch-one") == results
    assert await jobs.succeed(ONE, LATER, replace(results, size_bytes=1)) is None
    assert await files.find(PROJECT, "batch-one") == results


async def test_success_replaces_a_row_that_stands_in_its_way(
    jobs: JobRows, files: FileRows
) -> None:
    await keep_planned(jobs, a_job())
    await files.create(a_file("batch-one"), project_bytes_max=100)
    results = a_file("batch-one", source=FileSource.GENERATED, size_bytes=77)
    assert await jobs.succeed(ONE, LATER, results) is not None
    assert await files.find(PROJECT, "batch-one") == results


async def test_a_cancelled_job_does_not_succeed_and_gets_no_file(
    jobs: JobRows, files: FileRows
) -> None:
    await keep_planned(jobs, a_job())
    await jobs.move(ONE, JobState.CANCELLED, NOON)
    assert await jobs.succeed(ONE, LATER, a_file("batch-one")) is None
    assert await files.find(PROJECT, "batch-one") is None


async def test_only_unfinished_jobs_past_their_time_are_expired(jobs: JobRows) -> None:
    await jobs.create(a_job("due", expires=LATER), unfinished_max=9)
    await jobs.create(a_job("over", expires=LATER), unfinished_max=9)
    await jobs.create(a_job("young", expires=LATER + timedelta(microseconds=1)), unfinished_max=9)
    await jobs.move(JobId("over"), JobState.FAILED, NOON)
    assert [job.id for job in await jobs.expired(LATER)] == ["due"]


async def test_only_jobs_that_ended_before_are_over_age(jobs: JobRows) -> None:
    await jobs.create(a_job("ended"), unfinished_max=9)
    await jobs.create(a_job("running"), unfinished_max=9)
    await jobs.move(JobId("ended"), JobState.FAILED, NOON)
    assert [job.id for job in await jobs.ended_before(LATER)] == ["ended"]
    assert await jobs.ended_before(NOON) == []


async def test_a_deleted_job_is_out_of_sight_until_it_is_forgotten(
    jobs: JobRows, clock: FakeClock
) -> None:
    await keep_planned(jobs, a_job(expires=LATER), 2, 2)
    held = await lease(jobs, clock)
    assert held is not None
    assert await jobs.record([progress(held, 1)], NOON) == []
    (deleted,) = await jobs.mark_deleted(PROJECT, ONE, LATER)
    assert deleted.id == ONE
    assert await jobs.mark_deleted(PROJECT, ONE, LATER) == []
    assert await jobs.find(PROJECT, ONE) is None
    assert await jobs.page(PROJECT, 10) == []
    assert await jobs.expired(LATER) == []
    assert await lease(jobs, clock) is None
    assert await jobs.renew([held], LATER) == []
    assert await jobs.record([progress(held, 2)], NOON) == [held]
    assert await jobs.move(ONE, JobState.CANCELLED, NOON) is None
    assert await jobs.deleted() == [ONE]

    await jobs.forget(ONE)
    await jobs.forget(ONE)
    assert await jobs.deleted() == []
    assert await jobs.shards(ONE) == []
    assert await jobs.segments(ONE) == []
    await jobs.create(a_job(), unfinished_max=1)


async def test_a_job_that_is_not_marked_is_never_forgotten(jobs: JobRows) -> None:
    await keep_planned(jobs, a_job(), 1)
    await jobs.forget(ONE)
    assert await jobs.find(PROJECT, ONE) is not None
    assert len(await jobs.shards(ONE)) == 1


async def test_the_results_file_goes_out_of_sight_with_its_job(
    jobs: JobRows, files: FileRows
) -> None:
    await keep_planned(jobs, a_job())
    results = a_file("batch-one", source=FileSource.GENERATED)
    await jobs.succeed(ONE, LATER, results)
    (deleted,) = await jobs.mark_deleted(PROJECT, ONE, LATER)
    assert deleted.output_file == "batch-one"
    assert await files.find(PROJECT, "batch-one") is None
    assert await files.deleted() == [results]
