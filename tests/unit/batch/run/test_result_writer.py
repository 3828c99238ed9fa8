"""Results become durable in groups, and no fault on the way loses or doubles one."""

import asyncio
import errno
import threading
from collections.abc import Sequence

import pytest

from support.batch.batch_world import BatchWorld, make_durable, record, taken
from support.store.read_only import read_only
from support.store.rows import end_others
from support.waiting import PATIENCE_SECONDS
from toplu.job import JobId, JobState
from toplu.store.blobs.records import Record
from toplu.store.blobs.result_log import ResultLog
from toplu.store.rows.steps import StepKind


async def test_a_group_is_counted_once_it_is_durable(world: BatchWorld) -> None:
    await world.planned_job("one", 4)
    shard = await world.open_shard()
    writer = world.writer()
    for index in taken(shard)[:3]:
        writer.add(shard, record(index, succeeded=index != 1))
    assert (await world.job("one")).counts.pending == 4
    await writer.step()
    counts = (await world.job("one")).counts
    assert (counts.succeeded, counts.failed, counts.pending) == (2, 1, 1)


async def test_the_next_holder_of_a_shard_runs_only_what_has_no_result(world: BatchWorld) -> None:
    await world.planned_job("one", 4)
    shard = await world.open_shard()
    writer = world.writer()
    for index in (0, 2):
        writer.add(shard, record(index))
    await writer.step()
    await end_others(world.jobs, "server-2")
    assert taken(await world.open_shard("server-2")) == [1, 3]


async def test_a_result_in_the_log_counts_though_the_database_never_heard_of_it(
    world: BatchWorld,
) -> None:
    await world.planned_job("one", 4)
    shard = await world.open_shard()
    await make_durable(
        shard, world.results, [record(index, succeeded=index != 3) for index in range(4)]
    )
    await end_others(world.jobs, "server-2")
    second = await world.open_shard("server-2")
    assert taken(second) == []
    writer = world.writer()
    writer.note(second)
    await writer.step()
    counts = (await world.job("one")).counts
    assert (counts.succeeded, counts.failed) == (3, 1)
    assert await world.due(StepKind.ASSEMBLE, "server-2") is not None


class FullDisk(ResultLog):
    """A log whose disk is full until the test makes room."""

    full = True

    def append(
        self, job: JobId, shard: int, epoch: int, records: Sequence[Record], *, at: int
    ) -> int:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().append(job, shard, epoch, records, at=at)


async def test_a_full_disk_keeps_results_in_memory_until_there_is_space(
    world: BatchWorld, tmp_path
) -> None:
    world.results = FullDisk(tmp_path / "results")
    await world.planned_job("one", 4)
    shard = await world.open_shard()
    writer = world.writer()
    writer.add(shard, record(0))
    await writer.step()
    writer.add(shard, record(1))
    await writer.step()
    assert (await world.job("one")).counts.pending == 4
    assert world.faults.of(JobId("one")) == "No space left on device"
    world.results.full = False
    await writer.step()
    assert world.faults.of(JobId("one")) is None
    assert (await world.job("one")).counts.succeeded == 2
    scan = world.results.scan(JobId("one"), 0, 1)
    assert [entry.index for entry in scan.entries] == [0, 1]


class BrokenShard(ResultLog):
    """A log that fails on one shard, in a way that nobody foresaw, until it is mended."""

    broken = 0

    def append(
        self, job: JobId, shard: int, epoch: int, records: Sequence[Record], *, at: int
    ) -> int:
        if shard == self.broken:
            raise RuntimeError("something nobody foresaw")
        return super().append(job, shard, epoch, records, at=at)


async def test_a_shard_that_cannot_be_written_keeps_its_results_and_holds_up_no_other(
    world: BatchWorld, tmp_path
) -> None:
    world.results = BrokenShard(tmp_path / "results")
    await world.planned_job("one", 8)
    first, second = await world.open_shard(), await world.open_shard()
    writer = world.writer()
    writer.add(first, record(0))
    writer.add(second, record(4))
    await writer.step()
    assert (await world.job("one")).counts.succeeded == 1
    world.results.broken = -1
    await writer.step()
    assert (await world.job("one")).counts.succeeded == 2
    assert [entry.index for entry in world.results.scan(JobId("one"), 0, 1).entries] == [0]


async def test_counts_that_could_not_be_written_are_written_with_the_next_step(
    world: BatchWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.planned_job("one", 4)
    shard = await world.open_shard()
    writer = world.writer()
    writer.add(shard, record(0))

    async def fail(*_: object) -> None:
        raise ConnectionError("the database is away")

    with monkeypatch.context() as patch:
        patch.setattr(world.jobs, "record", fail)
        with pytest.raises(ConnectionError):
            await writer.step()
    await writer.step()
    assert (await world.job("one")).counts.succeeded == 1
    assert len(world.results.scan(JobId("one"), 0, 1).entries) == 1


async def test_a_stale_holder_changes_nothing_and_lets_go(world: BatchWorld) -> None:
    await world.planned_job("one", 4)
    stale = await world.open_shard("server-1")
    await end_others(world.jobs, "server-2")
    current = await world.open_shard("server-2")
    writer = world.writer()
    for index in range(4):
        writer.add(stale, record(index, succeeded=False))
    await writer.step()
    assert stale.dropped
    assert (await world.job("one")).counts.failed == 0
    for index in taken(current):
        writer.add(current, record(index))
    await writer.step()
    await world.assembler("server-2").step()
    assert [line["succeeded"] for line in await world.output("one")] == [True] * 4


async def test_what_a_stale_holder_adds_does_not_contradict_what_is_counted(
    world: BatchWorld,
) -> None:
    await world.planned_job("one", 4)
    stale = await world.open_shard("server-1")
    await end_others(world.jobs, "server-2")
    second = await world.open_shard("server-2")
    await make_durable(stale, world.results, [record(0, succeeded=True)])
    writer = world.writer()
    writer.add(second, record(0, succeeded=False))
    await writer.step()
    await end_others(world.jobs, "server-3")
    third = await world.open_shard("server-3")
    for index in taken(third):
        writer.add(third, record(index))
    await writer.step()
    counts = (await world.job("one")).counts
    assert (counts.succeeded, counts.failed) == (3, 1)
    await world.assembler("server-3").step()
    assert [line["succeeded"] for line in await world.output("one")] == [False, True, True, True]


async def test_results_of_a_cancelled_job_are_not_counted(world: BatchWorld) -> None:
    await world.planned_job("one", 4)
    shard = await world.open_shard()
    writer = world.writer()
    writer.add(shard, record(0))
    await writer.step()
    await world.jobs.move(JobId("one"), JobState.CANCELLED, world.clock.now())
    writer.add(shard, record(1))
    await writer.step()
    assert shard.dropped
    assert (await world.job("one")).counts.succeeded == 1


async def test_runners_wait_while_too_many_results_are_not_durable(tmp_path) -> None:
    world = await BatchWorld.open(tmp_path, results_buffered_max=2)
    await world.planned_job("one", 4)
    shard = await world.open_shard()
    writer = world.writer()
    writer.add(shard, record(0))
    assert writer.has_room
    writer.add(shard, record(1))
    assert not writer.has_room
    await writer.step()
    assert writer.has_room
    await world.close()


class SlowDisk(ResultLog):
    """A log whose first append holds until it is let go."""

    def hold(self, begun: threading.Event, go_on: threading.Event) -> None:
        self._first = [(begun, go_on)]

    def append(
        self, job: JobId, shard: int, epoch: int, records: Sequence[Record], *, at: int
    ) -> int:
        for begun, go_on in [self._first.pop()] if self._first else []:
            begun.set()
            assert go_on.wait(5)
        return super().append(job, shard, epoch, records, at=at)


async def test_a_flush_beside_a_running_commit_loses_no_result(world: BatchWorld, tmp_path) -> None:
    slow = SlowDisk(tmp_path / "results")
    begun, go_on = threading.Event(), threading.Event()
    slow.hold(begun, go_on)
    world.results = slow
    await world.planned_job("one", 4)
    shard = await world.open_shard()
    writer = world.writer()
    writer.add(shard, record(0))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(writer.step())
        await asyncio.to_thread(begun.wait, 5)
        writer.add(shard, record(1))
        tasks.create_task(writer.flush())
        # Whatever the flush would do beside the commit, it gets the time to do.
        for _ in range(50):
            await asyncio.to_thread(int)
        go_on.set()
    scan = world.results.scan(shard.lease.job.id, 0, shard.lease.shard.epoch)
    assert [entry.index for entry in scan.entries] == [0, 1]
    assert (await world.job("one")).counts.succeeded == 2


async def test_a_flush_to_a_full_disk_ends(world: BatchWorld, tmp_path) -> None:
    world.results = FullDisk(tmp_path / "results")
    await world.planned_job("one", 4)
    shard = await world.open_shard()
    writer = world.writer()
    writer.add(shard, record(0))
    async with asyncio.timeout(PATIENCE_SECONDS):
        await writer.flush()
    assert (await world.job("one")).counts.pending == 4


async def test_results_that_cannot_be_counted_are_counted_when_there_is_space(
    world: BatchWorld,
) -> None:
    await world.planned_job("one", 4)
    shard = await world.open_shard()
    writer = world.writer()
    writer.add(shard, record(0))
    async with read_only(world.database):
        with pytest.raises(OSError, match="Read-only"):
            await writer.step()
        assert world.faults.of(JobId("one")) == "Read-only file system"
        writer.add(shard, record(1))
        await writer.flush()  # of a drain, which ends all the same
    await writer.step()
    assert world.faults.of(JobId("one")) is None
    assert (await world.job("one")).counts.succeeded == 2


async def test_a_job_has_its_fault_as_long_as_one_of_its_shards_has(
    world: BatchWorld, tmp_path
) -> None:
    world.results = BrokenShard(tmp_path / "results")
    await world.planned_job("one", 8)
    shards = [await world.open_shard(), await world.open_shard()]
    writer = world.writer()
    for shard in shards:
        writer.add(shard, record(shard.lease.shard.first))
    await writer.step()
    assert world.faults.of(JobId("one")) is not None
