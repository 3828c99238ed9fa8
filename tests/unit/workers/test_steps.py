"""Steps of two workers: never the same at once, and the second to finish changes nothing."""

import errno
from datetime import timedelta
from unittest.mock import AsyncMock

import pytest

from support.batch.batch_world import BatchWorld, line_of, result_of
from toplu.batch import paths
from toplu.job import JobId
from toplu.store.rows.steps import StepKind

ONE = JobId("one")


async def test_two_workers_plan_two_jobs(world: BatchWorld) -> None:
    await world.keep_job("one", [line_of(0)])
    await world.keep_job("two", [line_of(0)])
    first = await world.steps("server-1").take(StepKind.PLAN)
    assert first is not None
    assert first.id == ONE
    await world.planner("server-2").step()
    assert (await world.job("two")).planned
    assert not (await world.job("one")).planned
    await world.planner("server-1").step()
    assert (await world.job("one")).planned


async def test_nothing_is_written_while_nothing_is_due_or_it_is_held(
    world: BatchWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = world.steps()
    await world.keep_job("one", [line_of(0)])
    assert await steps.take(StepKind.PLAN) is not None
    monkeypatch.setattr(world.database, "write", None)
    assert await steps.take(StepKind.PLAN) is not None
    assert await steps.take(StepKind.ASSEMBLE) is None
    assert await world.steps("server-2").take(StepKind.PLAN) is None


async def test_a_step_that_cannot_be_taken_is_the_reason_to_wait(
    world: BatchWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    await world.keep_job("one", [line_of(0)])
    monkeypatch.setattr(world.database, "write", fail)
    with pytest.raises(OSError, match="No space"):
        await world.steps().take(StepKind.PLAN)
    assert world.faults.of(ONE) == "No space left on device"
    await world.steps().give_back(StepKind.PLAN, ONE)


async def finished_job(world: BatchWorld) -> None:
    await world.planned_job("one", 3)
    shard = await world.open_shard()
    writer = world.writer()
    for index in range(3):
        writer.add(shard, result_of(index))
    await writer.step()


async def test_a_plan_that_comes_second_changes_nothing(world: BatchWorld) -> None:
    """One was thought dead while it slept in the step, and the other has done it since."""
    job = await world.keep_job("one", [line_of(index) for index in range(9)])
    await world.planner("server-1")._plan(job)
    planned, shards = await world.job("one"), await world.jobs.shards(ONE)
    order = await world.blobs.read(paths.order(ONE), 0, 2**20)
    world.clock.advance(timedelta(minutes=2))
    await world.planner("server-2")._plan(job)
    assert (await world.job("one"), await world.jobs.shards(ONE)) == (planned, shards)
    assert await world.blobs.read(paths.order(ONE), 0, 2**20) == order


async def test_an_assembly_that_comes_second_changes_nothing(
    world: BatchWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await finished_job(world)
    job = await world.job("one")
    # The second has read what the first removes at its end, or finds it gone and gives up.
    with monkeypatch.context() as patched:
        patched.setattr(type(world.results), "delete_job", AsyncMock())
        await world.assembler("server-1")._finish(job)
    done, output = await world.job("one"), await world.output("one")
    world.clock.advance(timedelta(minutes=2))
    await world.assembler("server-2")._finish(job)
    assert (await world.job("one"), await world.output("one")) == (done, output)
    await world.results.delete_job(ONE)
    with pytest.raises(AssertionError, match="lacks results"):
        await world.assembler("server-2")._finish(job)
    assert (await world.job("one"), await world.output("one")) == (done, output)
