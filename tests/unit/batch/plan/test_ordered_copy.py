"""The lines of a large job lie in the order of execution, if reads are calls to elsewhere."""

from pathlib import Path
from unittest import mock

from support.batch.batch_world import BatchWorld, line_of
from support.batch.far_blobs import FarBlobs
from toplu.batch import paths
from toplu.batch.plan import ordering
from toplu.batch.plan.order import RequestLine, read_shard
from toplu.job import JobId

ONE = JobId("one")
LARGE = 600
LINE_BYTES_MAX = 1000


async def begun(world: BatchWorld) -> None:
    """Keep a large job, with a line that is too long, and begin to plan it."""
    lines = [line_of(number * 7 % LARGE) for number in range(LARGE)]
    lines[LARGE // 2] = b"x" * (LINE_BYTES_MAX + 1)
    await world.keep_job("one", lines)
    with (
        mock.patch.object(ordering, "WHOLE_BYTES", 16 * 1024),
        mock.patch.object(ordering, "WHOLE_REQUESTS", 0),
    ):
        await world.planner().step()
    assert not (await world.job("one")).planned


async def lines_in_order(world: BatchWorld) -> list[RequestLine]:
    shards = await world.jobs.shards(ONE)
    return [line for it in shards for line in await read_shard(world.blobs, it, LINE_BYTES_MAX)]


async def test_the_copy_has_every_line_that_can_be_read_and_shards_read_it(
    tmp_path: Path,
) -> None:
    near = await BatchWorld.open(tmp_path / "near", line_bytes_max=LINE_BYTES_MAX)
    far = await BatchWorld.open(tmp_path / "far", line_bytes_max=LINE_BYTES_MAX)
    far.blobs = FarBlobs(tmp_path / "far" / "blobs")
    try:
        for world in (near, far):
            await begun(world)
        head = await lines_in_order(far)
        for world in (near, far):
            await world.orderer().step()
            assert (await world.job("one")).planned
        expected = await lines_in_order(near)
        assert len(expected) == LARGE
        assert await lines_in_order(far) == expected
        assert expected[: len(head)] == head, "shards of the head read the same from the copy"
        copy = await far.blobs.read(paths.ordered_lines(ONE), 0, 2**30)
        assert copy == b"".join(line.line or b"" for line in expected)
    finally:
        await near.close()
        await far.close()
