"""Lines that run again have the answers that they waited for, and wait for what runs again."""

import json

import pytest

from support.batch.batch_world import PROJECT, BatchWorld
from support.batch.chained import Repeating, asking, run_wave, run_whole, said
from toplu.batch import paths
from toplu.batch.jobs.retry import Rest
from toplu.job import Job, JobId, JobState

ONE = JobId("one")
LINES = [
    asking("good", "good"),
    asking("bad", "fail"),
    asking("of-good", "${good.text}", "good"),
    asking("of-both", "${good.text} $${x} ${bad.text}", "good", "bad"),
    asking("of-bad", "${bad.text}", "bad"),
]
ALL = {
    "good": "<good>",
    "bad": "<fail>",
    "of-good": "<<good>>",
    "of-both": "<<good> ${x} <fail>>",
    "of-bad": "<<fail>>",
}


async def retry(world: BatchWorld, job: Job, *, merge: bool = False) -> Job:
    return await world.retries().create_batch([Rest(job=job, engine="echo")], merge=merge)


async def stopped_behind_the_first_wave(world: BatchWorld) -> Job:
    """Return a job that was cancelled when the first wave was done."""
    await world.keep_job("one", LINES)
    await world.planner().step()
    await world.orderer().step()
    await run_wave(world, Repeating())
    await world.jobs.move(ONE, JobState.CANCELLED, world.clock.now())
    return await world.job("one")


@pytest.mark.parametrize("ended", ["succeeded", "cancelled"])
async def test_what_failed_runs_again_with_the_answers_that_there_are(
    world: BatchWorld, ended: str
) -> None:
    if ended == "succeeded":
        await world.keep_job("one", LINES)
        first = await run_whole(world, Repeating())
        assert first.counts.failed == 3
    else:
        first = await stopped_behind_the_first_wave(world)
    second = await retry(world, first)
    blob = paths.input_lines(second.id)
    written = b"".join([piece async for piece in world.blobs.stream(blob)])
    lines = {line["key"]: line for line in map(json.loads, written.splitlines())}
    assert "good" not in lines
    assert lines["of-both"]["after"] == ["bad"]
    pool = Repeating(failing=None)
    await run_whole(world, pool, second.id)
    again = {key: text for key, text in ALL.items() if key in lines}
    assert await said(world, second.id) == again
    assert "good" not in pool.asked


@pytest.mark.parametrize("ended", ["succeeded", "cancelled"])
async def test_a_retry_that_merges_takes_the_answers_from_what_it_carries(
    world: BatchWorld, ended: str
) -> None:
    if ended == "succeeded":
        await world.keep_job("one", LINES)
        first = await run_whole(world, Repeating())
    else:
        first = await stopped_behind_the_first_wave(world)
    second = await retry(world, first, merge=True)
    pool = Repeating(failing=None)
    job = await run_whole(world, pool, second.id)
    assert await said(world, second.id) == ALL
    assert "good" not in pool.asked
    assert (job.counts.total, job.counts.succeeded) == (5, 5)
    assert job.counts.carried == first.counts.succeeded


async def test_a_retry_of_a_retry_waits_as_well(world: BatchWorld) -> None:
    await world.keep_job("one", LINES)
    first = await run_whole(world, Repeating())
    second = await run_whole(world, Repeating(), (await retry(world, first)).id)
    assert second.counts.failed == 3
    third = await run_whole(world, Repeating(failing=None), (await retry(world, second)).id)
    assert await said(world, third.id) == {key: ALL[key] for key in ("bad", "of-both", "of-bad")}


async def test_a_merge_of_which_only_lines_that_wait_are_left_goes_on(world: BatchWorld) -> None:
    lines = [asking("a", "a"), asking("b", "${a.text}", "a"), asking("c", "${b.text}", "b")]
    await world.keep_job("one", lines)
    await world.planner().step()
    await world.orderer().step()
    await run_wave(world, Repeating())
    await world.jobs.move(ONE, JobState.CANCELLED, world.clock.now())
    second = await retry(world, await world.job("one"), merge=True)
    pool = Repeating()
    await run_whole(world, pool, second.id)
    assert await said(world, second.id) == {"a": "<a>", "b": "<<a>>", "c": "<<<a>>>"}
    assert pool.asked == ["<a>", "<<a>>"]


async def test_a_line_of_a_circle_stays_as_it_is(world: BatchWorld) -> None:
    await world.keep_job("one", [asking("a", "x", "a"), asking("b", "b")])
    first = await run_whole(world, Repeating())
    second = await retry(world, first)
    assert await world.blobs.read(paths.input_lines(second.id), 0, 1000) == (
        asking("a", "x", "a") + b"\n"
    )
    assert (await world.lookup().find(PROJECT, second.id)).counts.total == 1
