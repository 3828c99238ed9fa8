from batch_world import BatchWorld, line_of
from hypothesis import given
from hypothesis import strategies as st

from toplu.batch.line_index import read_shard
from toplu.batch.plan import ShardCutter
from toplu.gemini.line_splitter import LineSpan
from toplu.job import JobId, JobState

LENGTHS = st.lists(st.integers(min_value=1, max_value=40), max_size=60)


@given(lengths=LENGTHS, requests_max=st.integers(1, 7), bytes_max=st.integers(1, 50))
def test_shards_cover_the_lines_in_order_and_keep_their_bounds(
    lengths: list[int], requests_max: int, bytes_max: int
) -> None:
    cutter = ShardCutter(JobId("one"), requests_max=requests_max, bytes_max=bytes_max)
    offset = 0
    for number, length in enumerate(lengths):
        cutter.add(LineSpan(offset=offset, length=length, number=number + 1))
        offset += length + 1
    cutter.close_shard()
    assert cutter.total == len(lengths)
    covered = [
        index for shard in cutter.shards for index in range(shard.first, shard.first + shard.count)
    ]
    assert covered == list(range(len(lengths)))
    assert [shard.number for shard in cutter.shards] == list(range(len(cutter.shards)))
    for shard in cutter.shards:
        assert shard.count <= requests_max
        size_bytes = sum(lengths[shard.first : shard.first + shard.count])
        assert size_bytes <= bytes_max or shard.count == 1


async def test_a_planned_shard_reads_its_own_lines(world: BatchWorld) -> None:
    lines = [line_of(index) for index in range(6)]
    await world.keep_job("one", [lines[0], b"", *lines[1:]])
    await world.planner().step()
    job = await world.job("one")
    assert (job.planned, job.counts.total) == (True, 6)
    first, second = await world.jobs.shards(job.id)
    read = [
        *await read_shard(world.blobs, first, 1000),
        *await read_shard(world.blobs, second, 1000),
    ]
    assert [line.line for line in read] == lines
    assert [line.index for line in read] == list(range(6))
    assert [line.number for line in read] == [1, 3, 4, 5, 6, 7]


async def test_a_line_beyond_the_bound_is_not_read(world: BatchWorld) -> None:
    await world.keep_job("one", [line_of(0), b'"' + b"x" * 5000 + b'"', line_of(2)])
    await world.planner().step()
    (shard,) = await world.jobs.shards(JobId("one"))
    lines = await read_shard(world.blobs, shard, 1000)
    assert [line.line for line in lines] == [line_of(0), None, line_of(2)]


async def test_a_job_with_too_many_requests_fails_as_a_whole(tmp_path) -> None:
    world = await BatchWorld.open(tmp_path, job_requests_max=3)
    await world.keep_job("one", [line_of(index) for index in range(4)])
    await world.planner().step()
    job = await world.job("one")
    assert job.state is JobState.FAILED
    assert job.error is not None
    assert "3 requests" in job.error.message
    await world.close()


async def test_a_job_whose_input_is_gone_fails_and_the_next_is_planned(world: BatchWorld) -> None:
    await world.keep_job("one", [line_of(0)])
    await world.keep_job("two", [line_of(0)])
    await world.blobs.delete_folder("jobs/one")
    await world.planner().step()
    await world.planner().step()
    assert (await world.job("one")).state is JobState.FAILED
    assert (await world.job("two")).planned
