"""A receipt is counted again, and says so if what it finds does not agree."""

from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import update

from support.batch.batch_world import BatchWorld, result_of, taken
from toplu.batch.results.receipt import Receipt, Receipts
from toplu.errors import FailedPrecondition
from toplu.job import JobId, JobState
from toplu.money import Usage
from toplu.store.rows.ledger import LedgerRows
from toplu.store.rows.schema import jobs, ledger

ONE = JobId("one")
USED = Usage(prompt_tokens=10, cached_tokens=4, output_tokens=3)


async def receipt_of(world: BatchWorld) -> Receipt:
    receipts = Receipts(
        jobs=world.jobs, ledger=LedgerRows(world.database), results=world.result_reader()
    )
    return await receipts.write(await world.job("one"))


async def worked(world: BatchWorld, leases: int) -> None:
    """Work on a job of six requests in two shards: one of each lease, the second fails."""
    await world.planned_job("one", 6)
    writer = world.writer()
    for _ in range(leases):
        shard = await world.open_shard()
        index = taken(shard)[0]
        outcome = result_of(index, succeeded=index != 1, usage=USED if index != 1 else Usage())
        copy = index == 2
        writer.add(shard, replace(outcome, is_copy=copy, usage=Usage() if copy else outcome.usage))
        await writer.step()
        await world.jobs.give_back(shard.lease)


async def test_a_job_that_was_cancelled_has_a_receipt_of_what_was_done(world: BatchWorld) -> None:
    await worked(world, leases=3)
    await world.jobs.move(ONE, JobState.CANCELLED, world.clock.now())
    receipt = await receipt_of(world)
    assert (receipt.succeeded, receipt.failed, receipt.not_reached) == (2, {13: 1}, 3)
    assert receipt.leases == 3
    assert receipt.job.usage == USED
    assert receipt.job.counts.deduplicated == 1
    assert receipt.balances


async def test_a_job_that_succeeded_has_a_receipt_from_its_output(world: BatchWorld) -> None:
    await worked(world, leases=6)
    await world.assembler().step()
    receipt = await receipt_of(world)
    assert receipt.job.state is JobState.SUCCEEDED
    assert (receipt.succeeded, receipt.failed, receipt.not_reached) == (5, {13: 1}, 0)
    assert receipt.job.output_sha256 is not None
    assert receipt.balances


async def test_a_job_that_goes_on_has_none(world: BatchWorld) -> None:
    await worked(world, leases=1)
    with pytest.raises(FailedPrecondition, match="is RUNNING"):
        await receipt_of(world)


async def test_a_result_that_was_lost_is_not_covered_up(world: BatchWorld, tmp_path: Path) -> None:
    await worked(world, leases=3)
    await world.jobs.move(ONE, JobState.CANCELLED, world.clock.now())
    segment = min((tmp_path / "results" / "one").glob("*.log"))
    segment.write_bytes(segment.read_bytes()[:-1])
    receipt = await receipt_of(world)
    assert receipt.succeeded + sum(receipt.failed.values()) == 2
    assert not receipt.balances


@pytest.mark.parametrize(
    "falsified",
    [
        update(jobs).values(succeeded=3),
        update(jobs).values(prompt_tokens=11),
        update(jobs).values(deduplicated=0),
        update(jobs).values(total=2),
        update(ledger).values(output_tokens=4),
        update(ledger).values(id="other"),
    ],
    ids=str,
)
async def test_sums_that_differ_are_reported(world: BatchWorld, falsified: object) -> None:
    await worked(world, leases=3)
    await world.jobs.move(ONE, JobState.CANCELLED, world.clock.now())
    await world.database.write(lambda c: c.execute(falsified))  # type: ignore[call-overload]
    assert not (await receipt_of(world)).balances
