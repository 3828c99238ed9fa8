"""The book enters what is leased, keeps it alive, and lets nothing go that is still ours."""

import asyncio
from pathlib import Path

import pytest

from support.batch.batch_world import BatchWorld, record, taken
from support.batch.held_blobs import HeldBlobs
from support.store.rows import end_others
from toplu.batch import paths
from toplu.batch.loop import Wakeups
from toplu.errors import Internal
from toplu.job import JobId, JobState, Lease


class Book:
    """Leased shards of one lane, with what they stand on."""

    def __init__(self, world: BatchWorld) -> None:
        self.scheduler = world.scheduler()
        self.writer = world.writer()
        self.wakeups = Wakeups(2)
        self.shards = world.leased_shards(self.scheduler, self.writer, self.wakeups)

    async def lease(self) -> Lease:
        lease = await self.scheduler.lease_shard("echo", lane=0)
        assert lease is not None
        return lease

    async def is_free(self) -> bool:
        """Return whether there is a shard to lease, and lease it."""
        return await self.scheduler.lease_shard("echo", lane=0) is not None


async def test_what_is_opened_is_in_the_book_until_its_last_result(world: BatchWorld) -> None:
    await world.planned_job("one", 2)
    book = Book(world)
    shard = await book.shards.open(await book.lease())
    assert shard is not None
    assert list(book.shards) == book.shards.of_job(JobId("one")) == [shard]
    assert book.shards.of_job(JobId("two")) == []
    assert book.shards.unstarted == 2
    for index in taken(shard):
        book.writer.add(shard, record(index))
    await book.writer.flush()
    assert book.shards.unstarted == 0
    await book.shards.settle()
    assert list(book.shards) == []


async def test_a_released_shard_is_given_back_once_what_was_started_is_durable(
    world: BatchWorld,
) -> None:
    await world.planned_job("one", 2)
    book = Book(world)
    shard = await book.shards.open(await book.lease())
    assert shard is not None
    (started,) = shard.spans[0].take()
    book.shards.release(shard, lane=0)
    await book.shards.settle()
    assert not await book.is_free()
    book.writer.add(shard, record(started.index))
    await book.writer.flush()
    await book.shards.settle()
    assert shard.dropped
    assert await book.is_free()


async def test_a_job_whose_input_is_gone_fails(world: BatchWorld) -> None:
    await world.planned_job("one", 1)
    lease = await (book := Book(world)).lease()
    await world.blobs.delete(paths.order(JobId("one")))
    assert await book.shards.open(lease) is None
    assert list(book.shards) == []
    job = await world.job("one")
    assert job.state is JobState.FAILED
    assert job.error is not None
    assert "input" in job.error.message


async def test_a_job_that_is_dropped_while_its_shard_is_opened_is_not_entered(
    world: BatchWorld, tmp_path: Path
) -> None:
    await world.planned_job("one", 1)
    world.blobs = blobs = HeldBlobs(tmp_path / "blobs")
    book = Book(world)
    lease = await book.lease()
    async with asyncio.TaskGroup() as tasks:
        opening = tasks.create_task(book.shards.open(lease))
        await blobs.begun.wait()
        book.shards.drop_job(JobId("one"))
        blobs.go_on.set()
    assert opening.result() is None
    assert list(book.shards) == []


async def test_a_shard_that_another_took_over_is_dropped_when_leases_are_renewed(
    world: BatchWorld,
) -> None:
    await world.planned_job("one", 5)  # two shards
    book = Book(world)
    lost = await book.shards.open(await book.lease())
    await end_others(world.jobs, "server-2")
    assert await world.scheduler("server-2").lease_shard("echo", lane=0) is not None
    kept = await book.shards.open(await book.lease())
    assert lost is not None
    assert kept is not None
    await book.shards.renew()
    assert (lost.dropped, kept.dropped) == (True, False)
    assert lost.spans[0].take() == ()


async def test_the_job_of_an_engine_that_does_not_start_fails_and_stops(world: BatchWorld) -> None:
    await world.planned_job("one", 5)
    book = Book(world)
    shards = [await book.shards.open(await book.lease()) for _ in range(2)]
    assert shards[0] is not None
    await book.shards.give_up(shards[0], Internal("The engine does not start."))
    assert list(book.shards) == []
    assert all(shard is not None and shard.dropped for shard in shards)
    assert (await world.job("one")).state is JobState.FAILED


@pytest.mark.parametrize("durable", [0, 1])
async def test_every_shard_is_given_back_at_the_end(world: BatchWorld, durable: int) -> None:
    await world.planned_job("one", 2)
    book = Book(world)
    shard = await book.shards.open(await book.lease())
    assert shard is not None
    for index in range(durable):
        book.writer.add(shard, record(index))
    await book.writer.flush()
    await book.shards.give_back()
    assert list(book.shards) == []
    assert await book.is_free()
