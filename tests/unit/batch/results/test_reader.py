"""Results are read back while a job runs, and whatever becomes of it."""

import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from support.batch.batch_world import PROJECT, BatchWorld, record, taken
from toplu.batch.results.reader import Reading
from toplu.batch.run.result_writer import ResultWriter
from toplu.errors import NotFound
from toplu.job import JobId, JobState, ProjectId

ONE = JobId("one")


async def lines_of(reading: Reading) -> list[dict[str, Any]]:
    content = b"".join([piece async for piece in reading.pieces])
    lines = [json.loads(line) for line in content.splitlines()]
    assert len(lines) == reading.count
    return lines


async def answered(world: BatchWorld, writer: ResultWriter, *indexes: int) -> None:
    """Answer these of the next shard's requests, and let it be leased again."""
    shard = await world.open_shard()
    assert set(indexes) <= set(taken(shard))
    for index in indexes:
        writer.add(shard, record(index))
    await writer.step()
    await world.jobs.give_back(shard.lease)


async def test_what_is_durable_is_read_in_input_order_with_gaps(world: BatchWorld) -> None:
    await world.planned_job("one", 12)
    writer = world.writer()
    await answered(world, writer, 3, 1)
    await answered(world, writer, 0)
    async with world.result_reader().partial(PROJECT, ONE) as reading:
        assert not reading.is_complete
        lines = await lines_of(reading)
    assert [(line["line"], line["index"]) for line in lines] == [(1, 0), (2, 1), (4, 3)]
    assert next(iter(lines[0])) == "line"


async def test_before_the_first_result_there_is_nothing(world: BatchWorld) -> None:
    await world.keep_job("one", [b"{}"])
    async with world.result_reader().partial(PROJECT, ONE) as reading:
        assert (reading.count, reading.is_complete) == (0, False)
        assert await lines_of(reading) == []


@pytest.mark.parametrize("state", [JobState.CANCELLED, JobState.EXPIRED, JobState.FAILED])
async def test_what_was_done_is_read_after_the_end_of_a_job_that_did_not_succeed(
    world: BatchWorld, state: JobState
) -> None:
    await world.planned_job("one", 12)
    await answered(world, world.writer(), 2)
    assert await world.jobs.move(ONE, state, world.clock.now()) is not None
    async with world.result_reader().partial(PROJECT, ONE) as reading:
        assert [line["line"] for line in await lines_of(reading)] == [3]


async def test_a_job_that_succeeded_is_read_from_its_output(world: BatchWorld) -> None:
    await world.planned_job("one", 4)
    await answered(world, world.writer(), 3, 2, 1, 0)
    async with world.result_reader().partial(PROJECT, ONE) as reading:
        before = (reading.is_complete, await lines_of(reading))
    await world.assembler().step()
    assert (await world.job("one")).state is JobState.SUCCEEDED
    async with world.result_reader().partial(PROJECT, ONE) as reading:
        after = (reading.is_complete, await lines_of(reading))
    assert before == after
    assert [line["line"] for line in after[1]] == [1, 2, 3, 4]


async def test_a_job_that_succeeds_while_it_is_read_cuts_nothing_off(
    world: BatchWorld, tmp_path: Path
) -> None:
    await world.planned_job("one", 4)
    await answered(world, world.writer(), 3, 2, 1, 0)
    async with AsyncExitStack() as stack:
        reading = await stack.enter_async_context(world.result_reader().partial(PROJECT, ONE))
        await world.assembler().step()
        assert not (tmp_path / "results" / "one").exists()
        assert len(await lines_of(reading)) == 4
    assert not list((tmp_path / "blobs" / ".unfinished").iterdir())


async def test_a_job_that_succeeded_between_two_looks_is_read_from_its_output(
    world: BatchWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.planned_job("one", 4)
    await answered(world, world.writer(), 3, 2, 1, 0)
    segments = world.jobs.segments

    async def succeed_meanwhile(job: JobId) -> Any:
        found = await segments(job)
        with monkeypatch.context() as patch:
            patch.setattr(world.jobs, "segments", segments)
            await world.assembler().step()
        return found

    with monkeypatch.context() as patch:
        patch.setattr(world.jobs, "segments", succeed_meanwhile)
        async with world.result_reader().partial(PROJECT, ONE) as reading:
            assert [line["line"] for line in await lines_of(reading)] == [1, 2, 3, 4]


async def test_a_foreign_and_a_deleted_job_are_missing(world: BatchWorld) -> None:
    await world.planned_job("one", 4)
    for project, deleted in ((ProjectId("team-b"), False), (PROJECT, True)):
        if deleted:
            await world.jobs.mark_deleted(PROJECT, ONE, world.clock.now())
        with pytest.raises(NotFound):
            async with world.result_reader().partial(project, ONE):
                pass
