"""The promises of every store of results; another one joins by a line in `conftest.results`."""

from pathlib import Path

import pytest

from toplu.job import JobId
from toplu.store.blobs.records import Record
from toplu.store.blobs.result_log import Addition, ResultLog, Segment
from toplu.store.blobs.results import Results

ONE, TWO = JobId("one"), JobId("two")


def record(index: int, payload: bytes = b'{"response":{}}') -> Record:
    return Record(index=index, succeeded=True, payload=payload)


def addition(
    shard: int, *indexes: int, job: JobId = ONE, epoch: int = 1, at: int = 0, size: int = 15
) -> Addition:
    records = [record(index, b"x" * size) for index in indexes]
    return Addition(job=job, shard=shard, epoch=epoch, at=at, records=records)


def segment(shard: int, committed_bytes: int, job: JobId = ONE, epoch: int = 1) -> Segment:
    return Segment(job=job, shard=shard, epoch=epoch, committed_bytes=committed_bytes)


async def added(results: Results, *additions: Addition) -> list[int]:
    ends = await results.append_all(additions)
    assert all(isinstance(end, int) for end in ends), ends
    return [end for end in ends if isinstance(end, int)]


def indexes(log: ResultLog, of: Segment) -> list[int]:
    return [
        entry.index for entry in log.scan(of.job, of.shard, of.epoch, of.committed_bytes).entries
    ]


async def test_what_counts_is_read_and_nothing_behind_it(results: Results) -> None:
    (first,) = await added(results, addition(0, 1, 2))
    (second,) = await added(results, addition(0, 3, at=first))
    for committed_bytes, expected in ((first, [1, 2]), (second, [1, 2, 3])):
        of = segment(0, committed_bytes)
        async with results.counted(ONE, [of]) as log:
            assert indexes(log, of) == expected


async def test_a_group_of_many_shards_and_jobs_is_kept_apart(results: Results) -> None:
    group = [addition(shard, shard, job=job) for shard in range(70) for job in (ONE, TWO)]
    ends = await added(results, *group)
    of = [segment(it.shard, end, it.job) for it, end in zip(group, ends, strict=True)]
    for job in (ONE, TWO):
        of_job = [it for it in of if it.job == job]
        async with results.counted(job, of_job) as log:
            assert [indexes(log, it) for it in of_job] == [[it.shard] for it in of_job]


async def test_results_that_were_not_kept_are_given_again_with_more(results: Results) -> None:
    """The first try came after all, though its answer did not."""
    await added(results, addition(0, 1, 2))
    (end,) = await added(results, addition(0, 1, 2, 3))
    (last,) = await added(results, addition(0, 4, at=end))
    of = segment(0, last)
    async with results.counted(ONE, [of]) as log:
        assert indexes(log, of) == [1, 2, 3, 4]
    assert await added(results, addition(0, 4, at=end)) == [last]


async def test_earlier_epochs_leave_what_they_have_whether_or_not_it_counts(
    results: Results,
) -> None:
    ends = await added(
        results, addition(0, 1), addition(1, 5), addition(0, 2, epoch=2), addition(0, 3, epoch=3)
    )
    async with results.earlier(ONE, 0, 3) as log:
        assert [log.scan(ONE, 0, epoch).valid_bytes for epoch in (1, 2)] == [ends[0], ends[2]]


async def test_a_snapshot_outlives_the_results(results: Results, tmp_path: Path) -> None:
    (end,) = await added(results, addition(0, 1))
    log = await results.snapshot(ONE, [segment(0, end)], tmp_path / "snapshot")
    await results.delete_job(ONE)
    await results.delete_job(ONE)
    assert indexes(log, segment(0, end)) == [1]
    with pytest.raises(FileNotFoundError):
        await results.snapshot(ONE, [segment(0, end)], tmp_path / "again")


async def test_results_larger_than_an_object(results: Results) -> None:
    size = 3_000_000
    ends = await added(results, *(addition(shard, *range(4), size=size) for shard in range(2)))
    of = [segment(shard, end) for shard, end in enumerate(ends)]
    async with results.counted(ONE, of) as log:
        assert [indexes(log, it) for it in of] == [[0, 1, 2, 3]] * 2


async def test_results_of_others_stay(results: Results) -> None:
    (_, end) = await added(results, addition(0, 1), addition(0, 2, job=TWO))
    await results.delete_job(ONE)
    of = segment(0, end, TWO)
    async with results.counted(TWO, [of]) as log:
        assert indexes(log, of) == [2]
