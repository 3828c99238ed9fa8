"""Token sums follow the log of results, so that no crash loses a token or counts it twice."""

from msgspec.structs import replace

from support.batch.batch_world import PROJECT, BatchWorld, make_durable, record
from support.store.rows import end_others
from toplu.batch.run.leased_shard import LeasedShard
from toplu.job import JobId, JobState
from toplu.money import Usage
from toplu.store.blobs.records import Record
from toplu.store.rows.ledger import LedgerRows

USED = Usage(prompt_tokens=100, cached_tokens=30, output_tokens=7)


def used(index: int) -> Record:
    return replace(record(index), usage=USED)


async def test_tokens_that_only_the_log_knows_are_counted_once(world: BatchWorld) -> None:
    await world.planned_job("one", 4)
    killed = await world.open_shard("server-1")
    # Durable in the log; the server was killed before the database heard of it.
    await make_durable(killed, world.results, [used(0), record(1, succeeded=False)])
    await end_others(world.jobs, "server-2")
    assert (await world.job("one")).usage == Usage()

    again = await world.open_shard("server-2")
    assert again.usage == USED
    writer = world.writer()
    writer.note(again)
    for index in (2, 3):
        writer.add(again, used(index))
    await writer.flush()
    assert (await world.job("one")).usage == USED + USED + USED


async def test_a_result_that_stands_twice_in_the_log_costs_once_what_was_counted(
    world: BatchWorld,
) -> None:
    await world.planned_job("one", 4)
    stale = await world.open_shard("server-1")
    await end_others(world.jobs, "server-2")
    second = await world.open_shard("server-2")
    writer = world.writer()
    writer.add(second, used(0))
    await writer.flush()
    # Thought dead, the first writes on, and answered more briefly what is counted already.
    await make_durable(stale, world.results, [replace(used(0), usage=Usage(prompt_tokens=1))])
    await end_others(world.jobs, "server-3")
    third = await world.open_shard("server-3")
    assert third.usage == USED
    writer.note(third)
    await writer.flush()
    assert (await world.job("one")).usage == USED


async def test_a_stale_holder_adds_no_token(world: BatchWorld) -> None:
    await world.planned_job("one", 4)
    stale = await world.open_shard("server-1")
    await end_others(world.jobs, "server-2")
    await world.open_shard("server-2")
    writer = world.writer()
    writer.add(stale, used(0))
    await writer.flush()
    assert stale.dropped
    assert (await world.job("one")).usage == Usage()


async def test_the_entry_of_a_job_balances_with_its_results(world: BatchWorld) -> None:
    await world.planned_job("one", 6)  # two shards
    writer = world.writer()
    for _ in range(2):
        shard = await world.open_shard()
        await answer_all(shard, writer.add)
        await writer.flush()
    await world.assembler().step()
    job = await world.job("one")
    assert job.state is JobState.SUCCEEDED
    (total,) = await LedgerRows(world.database).totals(project=PROJECT)
    assert total.usage == job.usage == sum((USED for _ in range(6)), start=Usage())
    assert total.requests == 6
    assert await world.jobs.find(PROJECT, JobId("one")) == job


async def answer_all(shard: LeasedShard, add: object) -> None:
    while duplicates := shard.spans[0].take():
        for line in duplicates:
            add(shard, used(line.index))
