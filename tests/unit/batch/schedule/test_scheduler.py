"""The scheduler over the real store: whose shard a lane gets, and what is remembered of it."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from support.batch.batch_world import BatchWorld, line_of
from toplu.batch.schedule.scheduler import Scheduler
from toplu.batch.schedule.throughput import Throughputs
from toplu.job import JobId, Lease, ProjectId
from toplu.money import WORK_OF_OUTPUT_TOKEN, Usage
from toplu.replica import EngineState, Replica
from toplu.store.rows.jobs import Progress
from toplu.store.rows.shares import Competition
from toplu.store.rows.workers import Report, Worker, WorkerRows
from toplu.workers.roster import Roster

A, B = ProjectId("a"), ProjectId("b")
HOUR = timedelta(hours=1)


async def weight_of(project: ProjectId) -> int:
    return {A: 1, B: 3}.get(project, 1)


def scheduler_of(world: BatchWorld, speeds: Throughputs | None = None, **more: object) -> Scheduler:
    return Scheduler(
        settings=world.settings,
        clock=world.clock,
        jobs=world.jobs,
        owner="server-1",
        speeds=speeds,
        **more,  # type: ignore[arg-type]
    )


async def keep(world: BatchWorld, name: str, count: int = 40, **changes: object) -> None:
    await world.keep_job(name, [line_of(index) for index in range(count)], **changes)
    await world.planner().step()


async def lease(scheduler: Scheduler, lane: int = 0) -> Lease:
    held = await scheduler.lease_shard("echo", lane)
    assert held is not None
    return held


async def finish(world: BatchWorld, held: Lease, tokens: int = 10) -> None:
    """Record that the whole shard was answered, with so many tokens each."""
    count = held.shard.count
    done = Progress(
        lease=held,
        segments=(),
        succeeded=count,
        failed=0,
        usage=Usage(output_tokens=tokens * count),
    )
    assert await world.jobs.record([done], world.clock.now()) == []


async def test_lanes_are_shared_among_projects(world: BatchWorld) -> None:
    await keep(world, "huge", 80, project=A)
    await keep(world, "small", 8, project=B)
    scheduler = scheduler_of(world)
    taken = [(await lease(scheduler, lane)).job.id for lane in range(4)]
    assert sorted(taken) == ["huge", "huge", "small", "small"]


async def test_work_that_was_done_counts_and_survives_a_restart(
    world: BatchWorld, tmp_path: Path
) -> None:
    await keep(world, "one", project=A)
    await keep(world, "two", project=B)
    first = await lease(scheduler_of(world))
    assert first.job.id == "one"
    await finish(world, first)
    await world.close()
    again = await BatchWorld.open(tmp_path)
    again.clock.advance(HOUR)
    assert (await lease(scheduler_of(again))).job.id == "two"
    await again.close()


async def test_a_heavier_project_gets_more(world: BatchWorld) -> None:
    await keep(world, "one", 160, project=A)
    await keep(world, "two", 160, project=B)
    scheduler = scheduler_of(world, weight_of=weight_of)
    served = []
    for _ in range(24):
        held = await lease(scheduler)
        served.append(held.job.id)
        await finish(world, held)
    assert served.count(JobId("two")) in {17, 18, 19}


async def test_a_newcomer_does_not_catch_up_on_the_past(world: BatchWorld) -> None:
    await keep(world, "one", 160, project=A)
    scheduler = scheduler_of(world)
    for _ in range(10):
        await finish(world, await lease(scheduler))
    await keep(world, "two", 160, project=B)
    served = []
    for _ in range(10):
        held = await lease(scheduler)
        served.append(held.job.id)
        await finish(world, held)
    assert served.count(JobId("two")) in {5, 6}


async def test_priority_orders_the_jobs_of_a_project_and_may_change(world: BatchWorld) -> None:
    await keep(world, "first", project=A)
    await keep(world, "second", project=A)
    scheduler = scheduler_of(world)
    assert (await lease(scheduler)).job.id == "first"
    await world.jobs.amend(A, JobId("second"), {"priority": 1}, world.clock.now())
    assert (await lease(scheduler)).job.id == "second"
    await world.jobs.amend(A, JobId("second"), {"priority": -1}, world.clock.now())
    assert (await lease(scheduler)).job.id == "first"


async def test_what_is_nearly_late_goes_first_once_the_speed_is_known(world: BatchWorld) -> None:
    await keep(world, "old", 80, project=A)
    world.clock.advance(20 * HOUR)
    await keep(world, "new", 8, project=B)
    speeds = Throughputs()
    scheduler = scheduler_of(world, speeds)
    await finish(world, await lease(scheduler))
    assert (await lease(scheduler)).job.id == "new"
    speed = speeds.of("echo")
    speed.begin(world.clock.now())
    world.clock.advance(timedelta(minutes=1))
    known = (await scheduler.candidates("echo", world.clock.now())).jobs
    left = next(it.work for it in known if it.job == "old")
    tokens = round(left / (3.6 * 3600) * 60 / WORK_OF_OUTPUT_TOKEN)
    speed.add(Usage(output_tokens=tokens), world.clock.now())
    assert speed.work_per_second == pytest.approx(left / (3.6 * 3600), rel=0.03)
    assert (await lease(scheduler)).job.id == "old"


async def test_with_nothing_to_lease_there_is_no_turn(world: BatchWorld) -> None:
    assert await scheduler_of(world).lease_shard("echo", 0) is None


async def test_a_lane_keeps_its_turn_until_another_project_had_less(world: BatchWorld) -> None:
    await keep(world, "one", 80, project=A)
    scheduler = scheduler_of(world)
    held = await lease(scheduler)
    assert await scheduler.keeps_turn(held), "nobody else waits"
    await keep(world, "two", 80, project=B)
    await finish(world, held, tokens=1000)
    again = await lease(scheduler)
    assert again.job.id == "two"
    assert await scheduler.keeps_turn(again)
    other = await world.jobs.lease_shard(
        engine="echo",
        owner="server-1",
        now=world.clock.now(),
        expires=world.clock.now() + HOUR,
        job=JobId("one"),
    )
    assert other is not None
    assert not await scheduler.keeps_turn(other), "project a had a whole shard more"


async def test_the_lanes_of_every_worker_count_for_the_turn(world: BatchWorld) -> None:
    await keep(world, "huge", 80, project=A)
    await keep(world, "small", 80, project=B)
    workers = [world.scheduler("server-1"), world.scheduler("server-2")]
    taken = [(await lease(workers[lane % 2], lane // 2)).job.id for lane in range(6)]
    assert sorted(taken) == ["huge", "huge", "huge", "small", "small", "small"]
    candidates = await workers[0].candidates("echo", world.clock.now())
    assert {it.job: it.lanes for it in candidates.jobs} == {"huge": 3, "small": 3}


async def test_the_lanes_and_speeds_of_every_worker_are_the_engines(world: BatchWorld) -> None:
    rows = WorkerRows(world.database)
    now = world.clock.now()
    for worker, lanes, speed in (("server-1", 9, 9.0), ("server-2", 3, 30.0)):
        replica = Replica(
            engine="echo",
            state=EngineState.READY,
            lanes=lanes,
            window=2,
            work_per_second=speed,
        )
        who = Worker(id=worker, started=now, seen=now)
        await rows.report(Report(worker=who, replicas=[replica]))
    speeds = Throughputs()
    speeds.of("echo").work_per_second = 20.0
    scheduler = scheduler_of(world, speeds, roster=Roster(clock=world.clock, rows=rows))
    engine = (await scheduler.candidates("echo", now)).engine
    # Its own are known better than what it reported.
    assert (engine.lanes, engine.work_per_second) == (4, 50.0)


async def test_lanes_that_ask_together_find_out_together_that_nothing_waits(
    world: BatchWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keep(world, "one", count=1)
    scheduler = scheduler_of(world)
    competition = world.jobs.competition
    looks = 0

    async def counted(*given: Any, **named: Any) -> Competition:
        nonlocal looks
        looks += 1
        return await competition(*given, **named)

    monkeypatch.setattr(world.jobs, "competition", counted)
    leases = await asyncio.gather(*(scheduler.lease_shard("echo", lane) for lane in range(4)))
    assert sum(lease is not None for lease in leases) == 1
    assert looks == 2
    # A later question is a look of its own, for there may be something by now.
    await keep(world, "two", count=1)
    assert await scheduler.lease_shard("echo", 1) is not None
