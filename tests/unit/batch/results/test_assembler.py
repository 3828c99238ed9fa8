import hashlib
from pathlib import Path

import pytest

from support.batch.batch_world import PROJECT, BatchWorld, record, taken
from support.store.rows import end_others
from toplu.batch import paths
from toplu.batch.results import assembler
from toplu.job import JobId, JobState
from toplu.store.rows.files import FileRows


async def finish_shards(world: BatchWorld, count: int) -> None:
    """Work on that many shards, the last request first, in two leases each."""
    writer = world.writer()
    for _ in range(count):
        for owner in ("server-1", "server-2"):
            shard = await world.open_shard(owner)
            indexes = taken(shard)[::-1]
            for index in indexes[:2] if owner == "server-1" else indexes:
                writer.add(shard, record(index))
            await writer.step()
            await end_others(world.jobs, "nobody")


@pytest.mark.parametrize("in_memory_max", [0, 12])
async def test_results_stand_in_input_order_whatever_order_they_came_in(
    world: BatchWorld, monkeypatch: pytest.MonkeyPatch, in_memory_max: int
) -> None:
    monkeypatch.setattr(assembler, "IN_MEMORY_MAX", in_memory_max)
    await world.planned_job("one", 12)
    await finish_shards(world, 3)
    await world.assembler().step()
    job = await world.job("one")
    assert job.state is JobState.SUCCEEDED
    assert [line["index"] for line in await world.output("one")] == list(range(12))
    file = await FileRows(world.database).find(PROJECT, job.output_file)
    assert file is not None
    output = b"".join([piece async for piece in world.blobs.stream(file.blob)])
    assert file.sha256 == hashlib.sha256(output).hexdigest()
    assert file.size_bytes == len(output)


async def test_a_crash_before_the_state_moved_only_assembles_again(
    world: BatchWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.planned_job("one", 4)
    await finish_shards(world, 1)

    async def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(world.jobs, "succeed", crash)
        with pytest.raises(KeyboardInterrupt):
            await world.assembler().step()
    await world.assembler().step()
    assert [line["index"] for line in await world.output("one")] == list(range(4))


async def test_what_only_an_unfinished_job_needs_is_removed(
    world: BatchWorld, tmp_path: Path
) -> None:
    await world.planned_job("one", 4)
    await finish_shards(world, 1)
    await world.assembler().step()
    assert await world.blobs.size(paths.input_lines(JobId("one"))) is None
    assert await world.blobs.size(paths.head_order(JobId("one"))) is None
    assert not (tmp_path / "results" / "one").exists()


async def test_a_job_that_cannot_be_assembled_does_not_hold_up_the_next(
    world: BatchWorld, tmp_path: Path
) -> None:
    await world.planned_job("one", 4)
    await finish_shards(world, 1)
    await world.planned_job("two", 4)
    await finish_shards(world, 1)
    segment = next((tmp_path / "results" / "one").glob("*.log"))
    content = segment.read_bytes()
    segment.write_bytes(b"")
    assembling = world.assembler()
    await assembling.step()
    await assembling.step()
    assert (await world.job("two")).state is JobState.SUCCEEDED
    assert (await world.job("one")).state is JobState.RUNNING
    segment.write_bytes(content)
    await assembling.step()
    await assembling.step()
    assert (await world.job("one")).state is JobState.SUCCEEDED
