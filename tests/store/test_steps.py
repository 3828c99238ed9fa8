"""Steps: one worker at a time has each, and none is lost with a worker."""

from datetime import timedelta

import pytest

from support.fake_clock import NOON, FakeClock
from support.store.rows import a_job, end_others, keep_planned, lease, progress, some_shards
from toplu.job import JobId, JobState
from toplu.store.rows.database import Database
from toplu.store.rows.jobs import JobRows
from toplu.store.rows.step_holds import LIFE
from toplu.store.rows.steps import StepKind, StepRows
from toplu.store.rows.workers import Report, Worker, WorkerRows

ONE, TWO = JobId("one"), JobId("two")


@pytest.fixture
def steps(database: Database) -> StepRows:
    return StepRows(database)


async def taken(
    steps: StepRows, worker: str, kind: StepKind = StepKind.PLAN, minutes: float = 0
) -> JobId | None:
    job = await steps.take(kind, worker, NOON + timedelta(minutes=minutes))
    return None if job is None else job.id


async def test_a_worker_takes_the_oldest_that_nobody_has(jobs: JobRows, steps: StepRows) -> None:
    await jobs.create(a_job("one"), unfinished_max=9)
    await jobs.create(a_job("two", minutes=1), unfinished_max=9)
    assert await taken(steps, "server-1") == ONE
    assert await taken(steps, "server-2") == TWO
    assert await taken(steps, "server-3") is None
    assert await taken(steps, "server-1") == ONE, "it goes on with what it has"
    await steps.give_back(StepKind.PLAN, ONE, "server-2")
    assert await taken(steps, "server-2") == TWO, "nobody gives back what another has"
    await steps.give_back(StepKind.PLAN, ONE, "server-1")
    assert await taken(steps, "server-3") == ONE


async def test_a_hold_lapses_unless_its_worker_says_that_it_lives(
    jobs: JobRows, steps: StepRows, database: Database
) -> None:
    await jobs.create(a_job("one"), unfinished_max=9)
    assert await taken(steps, "server-1") == ONE
    later = NOON + LIFE / 2
    who = Worker(id="server-1", started=NOON, seen=later)
    await WorkerRows(database).report(Report(worker=who))
    before = later + LIFE - timedelta(microseconds=1)
    assert await steps.next(StepKind.PLAN, "server-2", before) is None
    assert await steps.holds(StepKind.PLAN, ONE, "server-1", before)
    assert await steps.take(StepKind.PLAN, "server-2", later + LIFE) is not None
    assert not await steps.holds(StepKind.PLAN, ONE, "server-1", later + LIFE)


async def test_the_steps_of_a_dead_worker_are_free_at_once(
    jobs: JobRows, steps: StepRows, database: Database
) -> None:
    await jobs.create(a_job("one"), unfinished_max=9)
    assert await taken(steps, "server-1") == ONE
    assert await WorkerRows(database).owners() == {"server-1"}
    await end_others(jobs, "server-2")
    assert await taken(steps, "server-2") == ONE


async def test_the_end_of_a_step_is_in_the_transaction_that_finishes_it(
    jobs: JobRows, steps: StepRows, database: Database
) -> None:
    owners = WorkerRows(database).owners
    await jobs.create(a_job("one"), unfinished_max=9)
    await taken(steps, "server-1")
    assert await jobs.begin_plan(ONE, some_shards("one", 1), NOON)
    assert await owners() == set()
    assert await taken(steps, "server-2", StepKind.ORDER) == ONE
    behind = some_shards("one", 1, 1)[1:]
    assert await jobs.plan(ONE, behind, 2, NOON)
    assert await owners() == set()
    await jobs.create(a_job("two"), unfinished_max=9)
    assert await taken(steps, "server-1") == TWO
    await jobs.move(TWO, JobState.CANCELLED, NOON)
    assert await owners() == set()


async def test_who_wrote_the_last_result_assembles_the_job(
    jobs: JobRows, steps: StepRows, clock: FakeClock
) -> None:
    await keep_planned(jobs, a_job(), 1, 1)
    first, second = await lease(jobs, clock, "server-1"), await lease(jobs, clock, "server-2")
    assert first is not None
    assert second is not None
    await jobs.record([progress(second, 1)], NOON)
    assert await steps.next(StepKind.ASSEMBLE, "server-2", NOON) is None
    await jobs.record([progress(first, 1)], NOON)
    assert await taken(steps, "server-2", StepKind.ASSEMBLE) is None
    assert await steps.holds(StepKind.ASSEMBLE, ONE, "server-1", NOON)
    assert await taken(steps, "server-1", StepKind.ASSEMBLE) == ONE
    assert await jobs.succeed(ONE, NOON) is not None
    assert not await steps.holds(StepKind.ASSEMBLE, ONE, "server-1", NOON)
