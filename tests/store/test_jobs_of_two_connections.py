"""Deeds that write jobs, from two connections at once: as if one had come after the other."""

import itertools
from collections.abc import Sequence
from datetime import timedelta

from support.fake_clock import NOON, FakeClock
from support.store.rows import (
    PROJECT,
    a_file,
    a_job,
    keep_planned,
    lease,
    progress,
    some_shards,
)
from support.store.two_connections import EACH, at_once, in_turns, refusals
from toplu.job import Job, JobId, JobState, Lease
from toplu.replica import EngineState, Replica
from toplu.store.rows.database import Database
from toplu.store.rows.jobs import JobRows
from toplu.store.rows.ledger import LedgerRows
from toplu.store.rows.steps import StepKind, StepRows
from toplu.store.rows.workers import AtWork, Report, Worker, WorkerRows

ONE = JobId("one")
WORKERS = ("server-1", "server-2")


async def unfinished(both: Sequence[Database]) -> list[Job]:
    return await JobRows(both[0]).page(PROJECT, 100)


async def test_no_more_jobs_are_made_than_a_project_may_have(both: list[Database]) -> None:
    outcomes = await at_once(
        both, lambda it, number: JobRows(it).create(a_job(f"job-{number}"), unfinished_max=3)
    )
    assert refusals(outcomes) == 2 * EACH - 3
    assert len(await unfinished(both)) == 3


async def test_no_more_tokens_are_enqueued_than_a_project_may_have(both: list[Database]) -> None:
    outcomes = await at_once(
        both,
        lambda it, number: JobRows(it).create(
            a_job(f"job-{number}", tokens_estimate=100), 100, enqueued_tokens_max=250
        ),
    )
    assert refusals(outcomes) == 2 * EACH - 2
    assert len(await unfinished(both)) == 2


async def test_every_shard_is_leased_once(both: list[Database], clock: FakeClock) -> None:
    await keep_planned(JobRows(both[0]), a_job(), *[1] * 10)
    outcomes = await at_once(
        both, lambda it, number: lease(JobRows(it), clock, WORKERS[number // EACH])
    )
    leases = [it for it in outcomes if isinstance(it, Lease)]
    assert sorted(it.shard.number for it in leases) == list(range(10))
    assert outcomes.count(None) == 2 * EACH - 10
    assert {it.shard.epoch for it in leases} == {1}


async def test_counts_of_two_workers_add_up(both: list[Database], clock: FakeClock) -> None:
    await keep_planned(JobRows(both[0]), a_job(), *[10] * 2)
    held = [await lease(JobRows(it), clock, w) for it, w in zip(both, WORKERS, strict=True)]

    async def record(database: Database, number: int) -> list[Lease]:
        mine = held[number // EACH]
        assert mine is not None
        return await JobRows(database).record([progress(mine, number % EACH + 1)], NOON)

    assert await in_turns(both, record) == [[]] * (2 * EACH)
    job = await JobRows(both[0]).find(PROJECT, ONE)
    assert job is not None
    assert (job.counts.succeeded, job.usage.output_tokens) == (2 * EACH, 2 * EACH)


async def test_leases_are_renewed_given_back_and_ended_beside_each_other(
    both: list[Database], clock: FakeClock
) -> None:
    await keep_planned(JobRows(both[0]), a_job(), *[1] * 2 * EACH)
    held = [await lease(JobRows(both[0]), clock, WORKERS[n // EACH]) for n in range(2 * EACH)]
    later = NOON + timedelta(hours=1)

    async def use(database: Database, number: int) -> object:
        mine, jobs = held[number], JobRows(database)
        assert mine is not None
        if number % 2:
            return await jobs.give_back(mine)
        return await jobs.renew([mine], later)

    refusals(await at_once(both, use))
    await WorkerRows(both[1]).end([WORKERS[1]])
    clock.advance(timedelta(minutes=30))
    again = [await lease(JobRows(both[0]), clock, "server-3") for _ in range(2 * EACH)]
    assert len([it for it in again if it is not None]) == 2 * EACH - EACH // 2


MOVES = (JobState.CANCELLED, JobState.EXPIRED, JobState.FAILED)


async def test_a_job_ends_once(both: list[Database], clock: FakeClock) -> None:
    await keep_planned(JobRows(both[0]), a_job(), 1)
    held = await lease(JobRows(both[0]), clock)
    assert held is not None
    await JobRows(both[0]).record([progress(held, 1)], NOON)

    async def finish(database: Database, number: int) -> Job | None:
        jobs = JobRows(database)
        if number % 4 == 3:
            return await jobs.succeed(ONE, NOON, a_file("results"), "0" * 64)
        return await jobs.move(ONE, MOVES[number % 4], NOON)

    outcomes = await at_once(both, finish)
    ended = [it for it in outcomes if isinstance(it, Job)]
    assert (refusals(outcomes), len(ended)) == (0, 1)
    assert await JobRows(both[1]).find(PROJECT, ONE) == ended[0]
    assert await LedgerRows(both[1]).usage_of(ONE) is not None


async def test_a_job_is_planned_once(both: list[Database]) -> None:
    await JobRows(both[0]).create(a_job(), unfinished_max=9)
    begun = await at_once(
        both, lambda it, _: JobRows(it).begin_plan(ONE, some_shards("one", 1), NOON)
    )
    assert begun.count(True) == 1
    behind = some_shards("one", 1, 2)[1:]
    planned = await at_once(both, lambda it, _: JobRows(it).plan(ONE, behind, 3, NOON))
    assert planned.count(True) == 1
    assert len(await JobRows(both[1]).shards(ONE)) == 2


async def test_a_step_is_taken_once(both: list[Database]) -> None:
    for number in range(3):
        await JobRows(both[0]).create(a_job(f"job-{number}"), unfinished_max=9)
    owners = (f"server-{number}" for number in itertools.count())
    taken = await at_once(both, lambda it, _: StepRows(it).take(StepKind.PLAN, next(owners), NOON))
    assert sorted(it.id for it in taken if isinstance(it, Job)) == ["job-0", "job-1", "job-2"]
    assert taken.count(None) == 2 * EACH - 3


async def test_a_job_is_deleted_and_amended_beside_itself(both: list[Database]) -> None:
    await JobRows(both[0]).create(a_job(), unfinished_max=9)

    async def change(database: Database, number: int) -> object:
        jobs = JobRows(database)
        if number % 2:
            return await jobs.amend(PROJECT, ONE, {"priority": number}, NOON)
        deleted = await jobs.mark_deleted(PROJECT, ONE, NOON)
        await jobs.forget(ONE)
        return bool(deleted)

    outcomes = await at_once(both, change)
    assert refusals(outcomes) == 0
    assert outcomes.count(True) == 1
    assert await JobRows(both[1]).known() == set()
    assert await LedgerRows(both[1]).usage_of(ONE) is not None


async def test_workers_report_and_end_beside_each_other(both: list[Database]) -> None:
    replica = Replica(engine="echo", state=EngineState.READY, lanes=1, window=1)

    async def report(database: Database, number: int) -> None:
        worker = WORKERS[number // EACH]
        await WorkerRows(database).report(
            Report(
                worker=Worker(id=worker, started=NOON, seen=NOON + timedelta(seconds=number)),
                replicas=[replica],
                at_work=[AtWork(worker=worker, engine="echo", job=ONE, lanes=number)],
            )
        )
        await WorkerRows(database).end(["gone"])
        await WorkerRows(database).touch()

    refusals(await in_turns(both, report))
    first, second = await WorkerRows(both[0]).reports()
    assert (first.at_work[0].lanes, second.at_work[0].lanes) == (EACH - 1, 2 * EACH - 1)
