"""The wait status of unfinished jobs: never a time without a measured speed."""

import errno
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest

from support.batch.batch_world import BatchWorld, line_of, record, taken
from toplu.batch.schedule.wait_messages import Reason
from toplu.batch.schedule.wait_reason import WaitReasons
from toplu.batch.schedule.wait_status import WaitStatus
from toplu.job import JobId, JobState
from toplu.replica import EngineState, Replica
from toplu.settings.model import ModelSettings
from toplu.store.rows.jobs import JobRows
from toplu.store.rows.workers import Report, Worker, WorkerRows
from toplu.workers.roster import Roster
from toplu.workers.storage_faults import StorageFaults

UP = {"echo": EngineState.READY}


async def waits_of(
    world: BatchWorld,
    *,
    speed: float | None = None,
    engines: dict[str, EngineState] | None = None,
    faults: StorageFaults | None = None,
    is_draining: Callable[[], bool] = lambda: False,
) -> WaitReasons:
    """Return the reasons as a process without an engine finds them, beside a worker."""
    await report(world, speed=speed, engines=engines)
    return WaitReasons(
        settings=world.settings,
        clock=world.clock,
        jobs=world.jobs,
        roster=Roster(clock=world.clock, rows=WorkerRows(world.database)),
        faults=faults,
        is_draining=is_draining,
    )


async def report(
    world: BatchWorld,
    *,
    worker: str = "server-1",
    speed: float | None = None,
    engines: dict[str, EngineState] | None = None,
    faults: dict[JobId, str] | None = None,
) -> None:
    now = world.clock.now()
    replicas = [
        Replica(engine=engine, state=state, lanes=1, window=1, work_per_second=speed)
        for engine, state in (engines or UP).items()
    ]
    await WorkerRows(world.database).report(
        Report(
            worker=Worker(id=worker, started=now, seen=now), replicas=replicas, faults=faults or {}
        )
    )


async def status_of(world: BatchWorld, waits: WaitReasons, name: str) -> WaitStatus:
    waiting = await waits.of(await world.job(name))
    assert waiting is not None
    return waiting


async def test_the_reason_follows_the_life_of_a_job(world: BatchWorld) -> None:
    scheduler = world.scheduler()
    waits = await waits_of(world)

    async def reason() -> Reason:
        world.clock.advance(timedelta(seconds=2))
        return (await status_of(world, waits, "one")).reason

    await world.keep_job("one", [line_of(index) for index in range(2)])
    assert await reason() is Reason.PLANNING
    await world.planner().step()
    assert await reason() is Reason.QUEUED
    shard = await world.open_shard(scheduler=scheduler)
    assert await reason() is Reason.RUNNING
    writer = world.writer()
    for index in taken(shard):
        writer.add(shard, record(index))
    await writer.step()
    assert await reason() is Reason.FINISHING
    await world.assembler().step()
    assert await waits.of(await world.job("one")) is None


async def test_a_lane_that_took_the_next_shard_is_counted_once(world: BatchWorld) -> None:
    await world.planned_job("one", 8)
    scheduler = world.scheduler()
    waits = await waits_of(world)
    # The last answers of the first are still to come.
    await world.open_shard(scheduler=scheduler)
    await world.open_shard(scheduler=scheduler)
    waiting = await status_of(world, waits, "one")
    assert (waiting.lanes, waiting.lanes_of_engine) == (1, 1)


async def test_a_batch_has_a_model_started_that_rests(world: BatchWorld) -> None:
    resting = ModelSettings(name="echo", engine="echo", replicas_max=1)
    world.settings = msgspec.structs.replace(world.settings, models=(resting,))
    await world.planned_job("one", 2)
    engines = {"other": EngineState.READY}
    waiting = await status_of(world, await waits_of(world, engines=engines), "one")
    assert waiting.reason is Reason.ENGINE_DOWN
    assert "is STARTING" in waiting.message


@pytest.mark.parametrize("engines", [{"echo": EngineState.DOWN}, {"other": EngineState.READY}])
async def test_an_engine_that_is_down_or_gone_is_named(
    world: BatchWorld, engines: dict[str, EngineState]
) -> None:
    await world.planned_job("one", 2)
    waiting = await status_of(world, await waits_of(world, engines=engines), "one")
    assert waiting.reason is Reason.ENGINE_DOWN
    assert "echo" in waiting.message


async def test_a_full_disk_is_reported_until_there_is_space(world: BatchWorld) -> None:
    await world.planned_job("one", 2)
    faults = StorageFaults()
    waits = await waits_of(world, faults=faults)
    faults.note(JobId("one"), OSError(errno.ENOSPC, "No space left on device", "/secret/path"))
    waiting = await status_of(world, waits, "one")
    assert waiting.reason is Reason.STORAGE
    assert "No space left on device" in waiting.message
    assert "/secret" not in waiting.message
    faults.clear(JobId("one"))
    assert (await status_of(world, waits, "one")).reason is Reason.QUEUED


async def test_a_fault_that_a_worker_reports_is_the_reason(world: BatchWorld) -> None:
    await world.planned_job("one", 2)
    await world.planned_job("two", 2)
    waits = await waits_of(world)
    await report(world, worker="server-2", faults={JobId("one"): "No space left on device"})
    waiting = await status_of(world, waits, "one")
    assert waiting.reason is Reason.STORAGE
    assert "No space left on device" in waiting.message
    assert (await status_of(world, waits, "two")).reason is Reason.QUEUED


async def test_an_engine_that_nobody_has_yet_is_as_large_as_one_will_be(world: BatchWorld) -> None:
    model = world.settings.models[0]
    await world.keep_job("one", [line_of(0)], engine=model.name)
    waiting = await status_of(world, await waits_of(world), "one")
    assert (waiting.reason, waiting.lanes_of_engine) == (Reason.ENGINE_DOWN, model.caches)


async def test_the_lanes_and_speeds_of_all_workers_are_those_of_the_engine(
    world: BatchWorld,
) -> None:
    await world.planned_job("one", 8)
    alone = await status_of(world, await waits_of(world, speed=1000.0), "one")
    waits = await waits_of(world, speed=1000.0)
    await report(world, worker="server-2", speed=3000.0)
    both = await status_of(world, waits, "one")
    assert (alone.lanes_of_engine, both.lanes_of_engine) == (1, 2)
    assert alone.finish is not None
    assert both.finish is not None
    now = world.clock.now()
    assert (alone.finish[0] - now) / (both.finish[0] - now) == pytest.approx(4.0)
    await world.open_shard("server-1")
    await world.open_shard("server-2")
    world.clock.advance(timedelta(seconds=2))
    assert (await status_of(world, waits, "one")).lanes == 2


async def test_a_server_that_drains_says_so(world: BatchWorld) -> None:
    await world.planned_job("one", 2)
    waits = await waits_of(world, is_draining=lambda: True)
    assert (await status_of(world, waits, "one")).reason is Reason.DRAINING


async def test_no_time_is_named_before_a_speed_was_measured(world: BatchWorld) -> None:
    await world.planned_job("one", 4)
    waiting = await status_of(world, await waits_of(world), "one")
    assert waiting.finish is None
    assert waiting.warnings == ()


async def test_a_range_follows_from_the_speed_and_from_what_is_ahead(world: BatchWorld) -> None:
    await world.planned_job("one", 4)
    await world.planned_job("two", 4)
    waits = await waits_of(world, speed=1000.0)
    first, second = await status_of(world, waits, "one"), await status_of(world, waits, "two")
    assert (first.position, second.position) == (1, 2)
    assert first.tokens_ahead == 0
    assert second.tokens_ahead > 0
    assert first.finish is not None
    assert second.finish is not None
    assert world.clock.now() < first.finish[0] < first.finish[1] < second.finish[1]


async def test_a_range_narrows_as_requests_are_done(world: BatchWorld) -> None:
    await world.planned_job("one", 4)
    waits = await waits_of(world, speed=1000.0)
    job = await world.job("one")

    async def width(done: int) -> float:
        counts = replace(job.counts, total=1000, succeeded=done)
        waiting = await waits.of(replace(job, counts=counts))
        assert waiting is not None
        assert waiting.finish is not None
        earliest, latest = waiting.finish
        return (latest - earliest) / (latest - world.clock.now())

    assert await width(500) < await width(10) < await width(0)


@pytest.mark.parametrize(("speed", "word"), [(1e6, None), (0.2, "target"), (0.01, "expires")])
async def test_a_deadline_that_cannot_be_met_is_reported_from_create_on(
    world: BatchWorld, speed: float, word: str | None
) -> None:
    job = await world.keep_job("one", [line_of(index) for index in range(9)])
    waiting = await (await waits_of(world, speed=speed)).of(
        replace(job, counts=replace(job.counts, total=9), tokens_estimate=100)
    )
    assert waiting is not None
    assert bool(waiting.warnings) == (word is not None)
    assert all(word in warning for warning in waiting.warnings if word is not None)


async def test_polls_within_a_second_share_one_read(
    world: BatchWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.planned_job("one", 4)
    waits = await waits_of(world)
    reads = 0
    competition = JobRows.competition

    async def counted(jobs: JobRows, *given: object) -> object:
        nonlocal reads
        reads += 1
        return await competition(jobs, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(JobRows, "competition", counted)
    for _ in range(50):
        await status_of(world, waits, "one")
    assert reads == 1
    world.clock.advance(timedelta(seconds=2))
    await status_of(world, waits, "one")
    assert reads == 2
    await world.jobs.move(JobId("one"), JobState.CANCELLED, world.clock.now())
    assert await waits.of(await world.job("one")) is None
