"""Workers in rows: what each reported last, and how all that a dead one held ends."""

from dataclasses import replace

from support.fake_clock import NOON, FakeClock
from support.store.rows import a_job, keep_planned, lease
from toplu.job import JobId
from toplu.replica import EngineState, Replica
from toplu.store.rows.database import Database
from toplu.store.rows.jobs import JobRows
from toplu.store.rows.workers import AtWork, Report, Worker, WorkerRows

ONE = JobId("one")
REPLICA = Replica(
    engine="echo",
    state=EngineState.READY,
    lanes=4,
    window=2,
    work_per_second=2.5,
    prompt_tokens=100,
    cached_tokens=60,
    call_p95_seconds=0.25,
)


def at_work(worker: str, lanes: int, job: JobId = ONE) -> AtWork:
    return AtWork(worker=worker, engine="echo", job=job, lanes=lanes)


def a_report(worker: str = "server-1", lanes: int = 3) -> Report:
    return Report(
        worker=Worker(id=worker, door="/run/door", started=NOON, seen=NOON),
        replicas=[
            REPLICA,
            replace(REPLICA, engine="other", work_per_second=None, call_p95_seconds=None),
        ],
        at_work=[at_work(worker, lanes)],
        faults={ONE: "No space left on device"},
    )


async def lanes(jobs: JobRows, besides: str | None = None) -> dict[JobId, int]:
    return (await jobs.competition("echo", NOON, besides)).lanes


async def test_the_last_report_of_each_worker_is_kept(database: Database) -> None:
    rows = WorkerRows(database)
    first, second = a_report(), a_report("server-2")
    await rows.report(a_report(lanes=1))
    await rows.report(second)
    await rows.report(first)
    assert await rows.reports() == [first, second]
    nothing = Report(worker=first.worker)
    await rows.report(nothing)
    assert [report.at_work for report in await rows.reports()] == [[], second.at_work]


async def test_a_lease_and_a_group_write_what_lanes_are_at(
    database: Database, jobs: JobRows, clock: FakeClock
) -> None:
    await keep_planned(jobs, a_job(), 1, 1)
    await WorkerRows(database).report(a_report("server-2"))
    held = await lease(jobs, clock, at_work=[at_work("server-1", 1)])
    assert held is not None
    assert await lanes(jobs) == {ONE: 4}
    assert await lanes(jobs, "server-1") == {ONE: 3}
    await jobs.record([], NOON, [at_work("server-1", 0), at_work("server-1", 2, JobId("two"))])
    assert await lanes(jobs, "server-2") == {JobId("two"): 2}


async def test_a_lease_that_is_not_had_changes_nothing(jobs: JobRows, clock: FakeClock) -> None:
    assert await lease(jobs, clock, at_work=[at_work("server-1", 1)]) is None
    assert await lanes(jobs) == {}


async def test_the_end_of_a_worker_is_the_end_of_all_that_it_held(
    database: Database, jobs: JobRows, clock: FakeClock
) -> None:
    rows = WorkerRows(database)
    await keep_planned(jobs, a_job(), 1, 1, 1)
    for owner in ("server-1", "server-1", "server-2"):
        assert await lease(jobs, clock, owner) is not None
    await rows.report(a_report("server-2"))
    await rows.report(a_report("server-3"))
    assert await rows.owners() == {"server-1", "server-2", "server-3"}
    assert await rows.end(["server-1", "server-3"]) == 2
    assert await rows.owners() == {"server-2"}
    assert [report.worker.id for report in await rows.reports()] == ["server-2"]
    again = await lease(jobs, clock)
    assert again is not None
    assert again.shard.epoch == 2
