"""The wait status of unfinished jobs: never a time without a measured speed."""

import errno
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from support.batch.batch_world import BatchWorld, line_of, record, taken
from toplu.batch.schedule.scheduler import Scheduler
from toplu.batch.schedule.throughput import Throughputs
from toplu.batch.schedule.wait_messages import Reason
from toplu.batch.schedule.wait_reason import WaitReasons
from toplu.batch.schedule.wait_status import WaitStatus
from toplu.batch.storage_faults import StorageFaults
from toplu.fleet.processes.supervisor import EngineState
from toplu.job import JobId, JobState
from toplu.store.rows.jobs import JobRows

UP = {"echo": EngineState.READY}


def waits_of(
    world: BatchWorld, *, speed: float | None = None, engines: dict[str, EngineState] | None = None
) -> WaitReasons:
    speeds = Throughputs()
    speeds.of("echo").work_per_second = speed
    return waits_on(world, world.scheduler(speeds=speeds), engines)


def waits_on(
    world: BatchWorld,
    scheduler: Scheduler,
    engines: dict[str, EngineState] | None = None,
    *,
    faults: StorageFaults | None = None,
    is_draining: Callable[[], bool] = lambda: False,
) -> WaitReasons:
    return WaitReasons(
        settings=world.settings,
        clock=world.clock,
        jobs=world.jobs,
        load_of=scheduler.load_of,
        engines=lambda: engines or UP,
        faults=faults,
        is_draining=is_draining,
    )


async def status_of(world: BatchWorld, waits: WaitReasons, name: str) -> WaitStatus:
    waiting = await waits.of(await world.job(name))
    assert waiting is not None
    return waiting


async def test_the_reason_follows_the_life_of_a_job(world: BatchWorld) -> None:
    scheduler = world.scheduler()
    waits = waits_on(world, scheduler)

    async def reason() -> Reason:
        world.clock.advance(timedelta(seconds=2))
        return (await status_of(world, waits, "one")).reason

    await world.keep_job("one", [line_of(index) for index in range(2)])
    assert await reason() is Reason.PLANNING
    await world.planner().step()
    assert await reason() is Reason.QUEUED
    shard = await world.open_shard(scheduler=scheduler)
    assert await reason() is Reason.RUNNING
    scheduler.note_work("echo", 0, None)
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
    # The last answers of the first are still to come.
    await world.open_shard(scheduler=scheduler)
    await world.open_shard(scheduler=scheduler)
    waiting = await status_of(world, waits_on(world, scheduler), "one")
    assert (waiting.lanes, waiting.lanes_of_engine) == (1, 1)


@pytest.mark.parametrize("engines", [{"echo": EngineState.DOWN}, {"other": EngineState.READY}])
async def test_an_engine_that_is_down_or_gone_is_named(
    world: BatchWorld, engines: dict[str, EngineState]
) -> None:
    await world.planned_job("one", 2)
    waiting = await status_of(world, waits_of(world, engines=engines), "one")
    assert waiting.reason is Reason.ENGINE_DOWN
    assert "echo" in waiting.message


async def test_a_full_disk_is_reported_until_there_is_space(world: BatchWorld) -> None:
    await world.planned_job("one", 2)
    faults = StorageFaults()
    waits = waits_on(world, world.scheduler(), faults=faults)
    faults.note(JobId("one"), OSError(errno.ENOSPC, "No space left on device", "/secret/path"))
    waiting = await status_of(world, waits, "one")
    assert waiting.reason is Reason.STORAGE
    assert "No space left on device" in waiting.message
    assert "/secret" not in waiting.message
    faults.clear(JobId("one"))
    assert (await status_of(world, waits, "one")).reason is Reason.QUEUED


async def test_a_server_that_drains_says_so(world: BatchWorld) -> None:
    await world.planned_job("one", 2)
    waits = waits_on(world, world.scheduler(), is_draining=lambda: True)
    assert (await status_of(world, waits, "one")).reason is Reason.DRAINING


async def test_no_time_is_named_before_a_speed_was_measured(world: BatchWorld) -> None:
    await world.planned_job("one", 4)
    waiting = await status_of(world, waits_of(world), "one")
    assert waiting.finish is None
    assert waiting.warnings == ()


async def test_a_range_follows_from_the_speed_and_from_what_is_ahead(world: BatchWorld) -> None:
    await world.planned_job("one", 4)
    await world.planned_job("two", 4)
    waits = waits_of(world, speed=1000.0)
    first, second = await status_of(world, waits, "one"), await status_of(world, waits, "two")
    assert (first.position, second.position) == (1, 2)
    assert first.tokens_ahead == 0
    assert second.tokens_ahead > 0
    assert first.finish is not None
    assert second.finish is not None
    assert world.clock.now() < first.finish[0] < first.finish[1] < second.finish[1]


async def test_a_range_narrows_as_requests_are_done(world: BatchWorld) -> None:
    await world.planned_job("one", 4)
    waits = waits_of(world, speed=1000.0)
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
    waiting = await waits_of(world, speed=speed).of(
        replace(job, counts=replace(job.counts, total=9), tokens_estimate=100)
    )
    assert waiting is not None
    assert bool(waiting.warnings) == (word is not None)
    assert all(word in warning for warning in waiting.warnings if word is not None)


async def test_polls_within_a_second_share_one_read(
    world: BatchWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.planned_job("one", 4)
    waits = waits_of(world)
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
