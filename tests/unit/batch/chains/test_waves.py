"""A wave is planned when everything before it is durable, and runs like any other part of a job."""

from pathlib import Path
from unittest import mock

import pytest

from support.batch.batch_world import PROJECT, BatchWorld
from support.batch.chained import Repeating, asking, run_wave, run_whole, said
from support.batch.parts import waves_of
from toplu.batch import paths
from toplu.batch.chains import waves
from toplu.batch.plan import ordering, planner
from toplu.batch.results.receipt import Receipts
from toplu.job import WAVE_SHARDS, JobId, JobState
from toplu.store.rows.ledger import LedgerRows

ONE = JobId("one")
CHAIN = [
    asking("answer-1", "first"),
    asking("judge-1", "${answer-1.text}?", "answer-1"),
    asking("answer-2", "second"),
    asking("judge-2", "${answer-2.text}!", "answer-2"),
    asking("reduce", "${judge-1.text} ${judge-2.text}", "judge-1", "judge-2"),
]
SAID = {
    "answer-1": "<first>",
    "judge-1": "<<first>?>",
    "answer-2": "<second>",
    "judge-2": "<<second>!>",
    "reduce": "<<<first>?> <<second>!>>",
}


async def test_lines_run_behind_those_that_they_wait_for(world: BatchWorld) -> None:
    await world.keep_job("one", CHAIN)
    pool = Repeating()
    job = await run_whole(world, pool)
    assert await said(world) == SAID
    assert sorted(pool.asked[:2]) == ["first", "second"]
    assert sorted(pool.asked[2:4]) == ["<first>?", "<second>!"]
    assert pool.asked[4:] == ["<<first>?> <<second>!>"]
    assert (job.counts.total, job.counts.succeeded, job.counts.pending) == (5, 5, 0)


async def test_a_receipt_of_waves_balances(world: BatchWorld) -> None:
    await world.keep_job("one", [*CHAIN, asking("lost", "x", "nobody")])
    await run_whole(world, Repeating())
    receipts = Receipts(
        jobs=world.jobs, results=world.result_reader(), ledger=LedgerRows(world.database)
    )
    receipt = await receipts.write(await world.job("one"))
    assert (receipt.balances, receipt.succeeded, receipt.failed) == (True, 5, {3: 1})


async def test_nothing_of_a_wave_is_begun_before_what_it_waits_for_is_durable(
    world: BatchWorld,
) -> None:
    await world.keep_job("one", CHAIN)
    await world.planner().step()
    await world.orderer().step()
    shard = await world.open_shard()
    assert await world.scheduler().lease_shard("echo", lane=1) is None
    assert shard.lease.shard.wave == 0
    await world.assembler().step()
    assert {it.wave for it in await world.jobs.shards(ONE)} == {0}


async def test_faults_of_lines_that_wait_are_their_outcomes(world: BatchWorld) -> None:
    lines = [
        asking("fine", "fine"),
        asking("twice", "a"),
        asking("twice", "b"),
        asking("unknown", "x", "nobody"),
        asking("ambiguous", "x", "twice"),
        asking("circle", "x", "circle"),
        asking("odd", "${fine.txt}", "fine", metadata={"m": "kept"}),
        asking("behind", "x", "unknown"),
        asking("anyway", "[${unknown.text}]", "unknown", after_failed="run"),
    ]
    await world.keep_job("one", lines)
    pool = Repeating()
    job = await run_whole(world, pool)
    assert await said(world) == {
        "fine": "<fine>",
        "twice": "<b>",
        "unknown": (
            3,
            'Error on line 4: no line of the batch has the key "nobody", which it waits for',
        ),
        "ambiguous": (3, 'Error on line 5: several lines have the key "twice", which it waits for'),
        "circle": (
            3,
            (
                "Error on line 6: the lines that it waits for wait for each other in a circle, "
                "or go deeper than 16"
            ),
        ),
        "odd": (
            3,
            (
                "Error on line 7: '${fine.txt}' is no expansion: after ${ comes a key of 'after' "
                "with .text, .json, .json.PATH or .finishReason; $${ stands for ${"
            ),
        ),
        "behind": (9, 'Error on line 8: the line with the key "unknown" has failed'),
        "anyway": "<[]>",
    }
    assert (await world.output("one"))[6]["metadata"] == {"m": "kept"}
    assert (job.counts.succeeded, job.counts.failed) == (4, 5)
    assert sorted(pool.asked) == ["[]", "a", "b", "fine"]


async def test_lines_that_wait_for_what_failed_fail_or_run(world: BatchWorld) -> None:
    lines = [
        asking("bad", "fail"),
        asking("stops", "x ${bad.text}", "bad"),
        asking("goes-on", "x ${bad.text}", "bad", after_failed="run"),
        asking("last", "${goes-on.text}", "goes-on"),
    ]
    await world.keep_job("one", lines)
    await run_whole(world, Repeating())
    assert await said(world) == {
        "bad": (13, "it failed"),
        "stops": (9, 'Error on line 2: the line with the key "bad" has failed'),
        "goes-on": "<x >",
        "last": "<<x >>",
    }


async def test_an_expanded_line_may_be_too_long(tmp_path: Path) -> None:
    world = await BatchWorld.open(tmp_path, line_bytes_max=1000)
    lines = [asking("long", "x" * 600), asking("double", "${long.text}" * 2, "long")]
    await world.keep_job("one", lines)
    await run_whole(world, Repeating())
    assert (await said(world))["double"] == (
        3,
        "Error on line 2: expanded, the line is longer than 1000 bytes",
    )
    await world.close()


async def test_lines_that_are_equal_once_expanded_are_asked_once(world: BatchWorld) -> None:
    lines = [
        asking("a", "same"),
        asking("b", "same"),
        asking("after-a", "${a.text}", "a"),
        asking("after-b", "${b.text}", "b"),
    ]
    await world.keep_job("one", lines)
    pool = Repeating()
    job = await run_whole(world, pool)
    assert pool.asked == ["same", "<same>"]
    assert (await said(world))["after-b"] == "<<same>>"
    assert job.counts.deduplicated == 2


async def test_what_is_inserted_is_estimated_too(world: BatchWorld) -> None:
    lines = [asking("a", "x" * 4000), asking("b", "${a.text}", "a")]
    before = await world.keep_job("one", lines)
    job = await run_whole(world, Repeating())
    assert 900 < job.tokens_estimate - before.tokens_estimate < 1100


async def test_a_job_of_nothing_but_faults_ends(world: BatchWorld) -> None:
    await world.keep_job("one", [asking("a", "x", "b"), asking("b", "x", "a")])
    job = await run_whole(world, Repeating())
    assert job.counts.failed == 2


async def test_a_wave_that_was_planned_before_a_crash_is_planned_again(
    world: BatchWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.keep_job("one", CHAIN)
    await world.planner().step()
    await world.orderer().step()
    pool = Repeating()
    await run_wave(world, pool)

    async def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(world.jobs, "plan_wave", crash)
        with pytest.raises(KeyboardInterrupt):
            await world.assembler().step()
    assert await world.blobs.size(paths.wave_order(ONE, 1)) is not None
    await run_whole(world, pool)
    assert await said(world) == SAID
    assert len(pool.asked) == 5


async def test_two_workers_that_plan_the_same_wave_make_it_once(world: BatchWorld) -> None:
    await world.keep_job("one", CHAIN)
    await world.planner().step()
    await world.orderer().step()
    await run_wave(world, Repeating())
    job = await world.job("one")
    found = await world.jobs.shards(ONE)
    with mock.patch.object(world.jobs, "shards", return_value=found):
        await waves_of(world).plan_next(job)
        await waves_of(world).plan_next(job)
    await waves_of(world).plan_next(job)
    shards = await world.jobs.shards(ONE)
    assert [(shard.wave, shard.count) for shard in shards] == [(0, 2), (1, 2)]


async def test_a_cancelled_job_is_planned_no_further(world: BatchWorld) -> None:
    await world.keep_job("one", CHAIN)
    await world.planner().step()
    await world.orderer().step()
    await run_wave(world, Repeating())
    job = await world.job("one")
    await world.jobs.move(ONE, JobState.CANCELLED, world.clock.now())
    await waves_of(world).plan_next(job)
    assert {shard.wave for shard in await world.jobs.shards(ONE)} == {0}
    async with world.result_reader().partial(PROJECT, ONE) as reading:
        pieces = b"".join([piece async for piece in reading.pieces])
    assert [line.partition(b",")[0] for line in pieces.splitlines()] == [
        b'{"line":1',
        b'{"line":3',
    ]
    assert (reading.count, reading.is_complete) == (2, False)


async def test_large_inputs_and_waves_have_child_processes(
    world: BatchWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planner, "IN_THREAD_BYTES_MAX", 0)
    monkeypatch.setattr(ordering, "WHOLE_BYTES", 100)
    monkeypatch.setattr(ordering, "WHOLE_REQUESTS", 1)
    monkeypatch.setattr(waves, "IN_THREAD_BYTES_MAX", 60)
    await world.keep_job("one", CHAIN)
    await run_whole(world, Repeating())
    assert await said(world) == SAID


async def test_a_lane_goes_on_at_the_same_place_of_the_next_wave(world: BatchWorld) -> None:
    lines = [asking(f"a{n}", f"{n} {n * 'x'}") for n in range(8)]
    lines += [asking(f"b{n}", f"{n} ${{a{n}.text}}", f"a{n}") for n in range(8)]
    await world.keep_job("one", lines)
    await world.planner().step()
    await world.orderer().step()
    await run_wave(world, Repeating())
    await world.assembler().step()
    second = next(it for it in await world.jobs.shards(ONE) if it.number == 1)
    scheduler = world.scheduler()
    first_lease = await scheduler.lease_shard("echo", lane=0)
    assert first_lease is not None
    assert first_lease.shard.number == WAVE_SHARDS
    await scheduler.give_back(first_lease)
    after = mock.Mock(shard=second)
    lease = await scheduler.lease_shard("echo", lane=0, after=after)
    assert lease is not None
    assert lease.shard.number == WAVE_SHARDS + 1


async def test_bytes_that_only_an_unfinished_job_needs_go_with_its_end(world: BatchWorld) -> None:
    await world.keep_job("one", CHAIN)
    await run_whole(world, Repeating())
    assert await world.blobs.size(paths.wave_lines(ONE, 1)) is None
    assert await world.blobs.size(paths.wave_order(ONE, 1)) is not None
