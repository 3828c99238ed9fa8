"""A job that takes up another one has each of its results once, whatever became of it before."""

import json
from unittest import mock

import pytest

from support.batch.batch_world import PROJECT, BatchWorld, line_of, taken
from toplu.batch import paths
from toplu.batch.jobs.retry import Rest
from toplu.batch.plan import ordering, planner
from toplu.batch.results import reader
from toplu.batch.results.receipt import Receipt, Receipts
from toplu.batch.run.leased_shard import LeasedShard
from toplu.errors import FailedPrecondition
from toplu.idempotency import AlreadyCreated, Creation, IdempotencyKey
from toplu.job import Job, JobId, JobState
from toplu.money import NO_TOKENS, Usage
from toplu.store.blobs.records import Record
from toplu.store.rows.ledger import LedgerRows

USED = Usage(prompt_tokens=3, output_tokens=2)


def outcome(index: int, *, succeeded: bool, by: str) -> Record:
    said: dict[str, object] = {"response": {"index": index, "by": by}}
    if not succeeded:
        said = {"error": {"code": 13, "message": "no"}}
    usage = USED if succeeded else NO_TOKENS
    payload = json.dumps(said, separators=(",", ":")).encode()
    return Record(index=index, succeeded=succeeded, payload=payload, usage=usage)


async def run(world: BatchWorld, outcomes: dict[int, bool], by: str) -> list[int]:
    """Take all that is to run, and give some of it an outcome; return what was taken."""
    await world.planner().step()
    await world.orderer().step()
    writer, scheduler = world.writer(), world.scheduler()
    found: list[int] = []
    while (lease := await scheduler.lease_shard("echo", lane=0)) is not None:
        shard = await LeasedShard.open(
            lease, blobs=world.blobs, results=world.results, settings=world.settings
        )
        indexes = taken(shard)
        found += indexes
        for index in sorted(outcomes.keys() & set(indexes)):
            writer.add(shard, outcome(index, succeeded=outcomes[index], by=by))
    await writer.step()
    return sorted(found)


async def merged(world: BatchWorld, job: Job, key: IdempotencyKey | None = None) -> Job:
    rest = Rest(job=job, engine="echo")
    return await world.retries().create_batch([rest], merge=True, key=key)


async def cancelled(world: BatchWorld, name: str) -> Job:
    moved = await world.jobs.move(JobId(name), JobState.CANCELLED, world.clock.now())
    assert moved is not None
    return moved


async def receipt_of(world: BatchWorld, name: str) -> Receipt:
    ledger = LedgerRows(world.database)
    receipts = Receipts(jobs=world.jobs, ledger=ledger, results=world.result_reader())
    return await receipts.write(await world.job(name))


async def answers(world: BatchWorld, name: str) -> list[str]:
    """Return who answered each request, in input order."""
    lines = [it["response"] for it in await world.output(name)]
    assert [it["index"] for it in lines] == list(range(len(lines)))
    return [it["by"] for it in lines]


@pytest.mark.parametrize("way", ["at creation", "as a whole", "head first"])
async def test_a_retry_of_a_retry_has_the_results_of_all_and_ran_the_rest_alone(
    world: BatchWorld, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(reader, "GROUP_LINES", 2)
    if way != "at creation":
        monkeypatch.setattr(planner, "AT_CREATION_BYTES_MAX", 0)
    if way == "head first":
        monkeypatch.setattr(ordering, "WHOLE_BYTES", 200)
        monkeypatch.setattr(ordering, "WHOLE_REQUESTS", 0)
        monkeypatch.setattr(ordering, "HEAD_REQUESTS_PER_LANE", 1)
    lines = [line_of(index) for index in range(9)]
    await world.keep_job("one", [*lines[:4], b"", *lines[4:]])
    assert await run(world, {0: True, 3: True, 4: False, 8: True}, "one") == list(range(9))
    second = await merged(world, await cancelled(world, "one"))
    assert (second.counts.total, second.counts.succeeded, second.counts.carried) == (9, 3, 3)
    assert second.retry_of == "one"
    assert await run(world, {1: True, 2: False, 7: True}, "two") == [1, 2, 4, 5, 6, 7]
    ended = await cancelled(world, second.id)
    assert ended.usage == USED + USED
    third = await merged(world, ended)
    assert third.counts.carried == 5
    # The copies outlive what they came from.
    for gone in ("one", second.id):
        await world.jobs.mark_deleted(PROJECT, JobId(gone), world.clock.now())
        await world.blobs.delete_folder(paths.folder(JobId(gone)))
        await world.results.delete_job(JobId(gone))
    assert await run(world, dict.fromkeys(range(9), True), "three") == [2, 4, 5, 6]
    await world.assembler().step()
    by = ["one", "two", "three", "one", "three", "three", "three", "two", "one"]
    assert await answers(world, third.id) == by
    receipt = await receipt_of(world, third.id)
    assert receipt.balances
    assert (receipt.succeeded, receipt.job.counts.carried, receipt.job.usage.output_tokens) == (
        *(9, 5),
        4 * USED.output_tokens,
    )
    charged = await LedgerRows(world.database).totals(project=PROJECT)
    assert sum(total.requests for total in charged) == 4 + 3 + 4


async def test_a_job_that_has_every_result_needs_no_run_to_have_its_output(
    world: BatchWorld,
) -> None:
    await world.planned_job("one", 3)
    await run(world, dict.fromkeys(range(3), True), "one")
    # It was cancelled in the moment before it would have been assembled.
    second = await merged(world, await cancelled(world, "one"))
    assert (second.counts.pending, second.planned) == (0, True)
    await world.assembler().step()
    assert await answers(world, second.id) == ["one", "one", "one"]
    assert (await receipt_of(world, second.id)).balances
    with pytest.raises(FailedPrecondition, match="nothing to run again"):
        await merged(world, await world.job(second.id))


async def test_failures_of_a_job_that_succeeded_run_into_one_output(world: BatchWorld) -> None:
    await world.planned_job("one", 3)
    await run(world, {0: True, 1: False, 2: True}, "one")
    await world.assembler().step()
    second = await merged(world, await world.job("one"))
    assert second.input_file == "input"
    assert await run(world, {1: True}, "two") == [1]
    await world.assembler().step()
    assert await answers(world, second.id) == ["one", "two", "one"]


async def test_a_retry_that_fails_half_way_leaves_nothing_behind(world: BatchWorld) -> None:
    await world.planned_job("one", 3)
    await run(world, {0: True}, "one")
    source = await cancelled(world, "one")
    with (
        mock.patch.object(type(world.jobs), "create", side_effect=OSError("full")),
        pytest.raises(OSError, match="full"),
    ):
        await merged(world, source)
    assert await world.blobs.abandoned(paths.JOBS, ()) == ["one"]
    assert await world.results.jobs() == ["one"]
    await merged(world, source)


async def test_a_retry_that_is_sent_again_is_the_same_one(world: BatchWorld) -> None:
    await world.planned_job("one", 3)
    source = await cancelled(world, "one")
    key = IdempotencyKey(project=PROJECT, creation=Creation.BATCH, key="k", fingerprint="f")
    made = await merged(world, source, key)
    with pytest.raises(AlreadyCreated) as again:
        await merged(world, source, key)
    assert again.value.resource == made.id
    assert set(await world.blobs.abandoned(paths.JOBS, ())) == {"one", made.id}
