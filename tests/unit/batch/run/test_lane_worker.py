"""Lanes of one runner: each works on requests of its own, and none idles while there are any."""

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from support.batch.batch_world import BatchWorld, line_of
from support.batch.lanes_world import LanePool, LanesWorld
from support.waiting import PATIENCE_SECONDS
from toplu.fleet.pool import EngineStopped
from toplu.fleet.work import Answered
from toplu.job import ProjectId
from toplu.wire.gemini.content import (
    GenerateContentRequest,
    GenerateContentResponse,
)


async def test_every_lane_begins_at_once_on_requests_of_its_own(world: BatchWorld) -> None:
    await world.planned_job("one", 32)  # eight shards of four
    rooms = LanesWorld(world, lanes=4)
    async with rooms.running():
        await rooms.until(lambda: rooms.pool.outstanding() == {0: 2, 1: 2, 2: 2, 3: 2})
        shards = {
            lane: {int(text.removeprefix("text ")) // 4 for text, _ in entries}
            for lane, entries in rooms.pool.on_lane.items()
        }
        assert sorted(shards.values(), key=min) == [{0}, {2}, {4}, {6}]


async def test_a_lane_goes_on_with_the_shard_behind_its_own(world: BatchWorld) -> None:
    await world.planned_job("one", 32)
    rooms = LanesWorld(world, lanes=2)

    def begun() -> list[int]:
        return [int(text.removeprefix("text ")) for lane, text in rooms.pool.begun if lane == 0]

    async with rooms.running():
        await rooms.until(lambda: rooms.pool.outstanding() == {0: 2, 1: 2})
        for answered in range(1, 9):
            rooms.pool.answer_one(0)
            await rooms.until(lambda count=2 + answered: len(begun()) == count)
        assert begun() == list(range(begun()[0], begun()[0] + 10))


async def test_each_lane_counts_once_for_the_job_that_it_works_for(world: BatchWorld) -> None:
    await world.planned_job("one", 4)
    await world.planned_job("two", 4)
    rooms = LanesWorld(world, lanes=3)
    async with rooms.running():
        # Two lanes have a shard of their own, the third helps one of them.
        await rooms.until(lambda: len(rooms.pool.outstanding()) == 3)
        await rooms.settle()
        assert sorted((await rooms.at_work()).values()) == [1, 2]
        # A lane whose last answer is still to come works for nobody else.
        while len(rooms.pool.begun) < 8:
            rooms.pool.answer_one(next(iter(rooms.pool.outstanding())))
            await rooms.settle()
        assert sum((await rooms.at_work()).values()) == len(rooms.pool.outstanding())
        while rooms.pool.outstanding():
            rooms.pool.answer_one(next(iter(rooms.pool.outstanding())))
            await rooms.settle()
        assert await rooms.at_work() == {"one": 0, "two": 0}


async def test_a_lane_that_took_the_next_shard_counts_once(world: BatchWorld) -> None:
    await world.planned_job("one", 8)
    rooms = LanesWorld(world, lanes=1)
    async with rooms.running():
        await rooms.settle_with(begun=2)
        for answered in (1, 2, 3):
            rooms.pool.answer_one(0)
            await rooms.settle_with(begun=2 + answered)
        texts = [text for text, _ in rooms.pool.on_lane[0]]
        assert texts == ["text 003", "text 004"], "of two shards"
        assert await rooms.at_work() == {"one": 1}


async def test_an_idle_lane_takes_over_a_part_of_what_another_has(world: BatchWorld) -> None:
    await world.planned_job("one", 4)  # one shard
    rooms = LanesWorld(world, lanes=2)
    async with rooms.running():
        await rooms.until(lambda: {lane for lane, _ in rooms.pool.begun} == {0, 1})


async def test_no_request_waits_behind_another_while_a_lane_is_idle(world: BatchWorld) -> None:
    await world.planned_job("one", 3)
    rooms = LanesWorld(world, lanes=3)
    async with rooms.running():
        await rooms.until(lambda: len(rooms.pool.begun) == 3)
        assert rooms.pool.outstanding() == {0: 1, 1: 1, 2: 1}


async def test_all_results_of_divided_shards_are_counted(world: BatchWorld) -> None:
    await world.planned_job("one", 10)
    rooms = LanesWorld(world, lanes=3)
    async with rooms.running():
        for answered in range(10):
            await rooms.until(lambda count=answered + 1: len(rooms.pool.begun) >= count)
            rooms.pool.answer_one(list(rooms.pool.outstanding())[-1])
            await rooms.until(lambda count=answered + 1: rooms.pool.answered == count)
    await rooms.writer.flush()
    assert (await world.job("one")).counts.succeeded == 10
    assert len(rooms.pool.begun) == 10


async def test_a_job_that_is_dropped_is_dropped_on_every_lane(world: BatchWorld) -> None:
    one = await world.planned_job("one", 32)
    await world.planned_job("two", 12)
    rooms = LanesWorld(world, lanes=2)
    async with rooms.running():
        await rooms.until(lambda: rooms.pool.outstanding() == {0: 2, 1: 2})
        await world.jobs.mark_deleted(one.project, one.id, world.clock.now())
        rooms.runner.drop_job(one.id)
        await rooms.until(lambda: len(rooms.pool.outstanding()) == 2 < len(rooms.pool.begun) - 4)
        texts = {text for entries in rooms.pool.on_lane.values() for text, _ in entries}
        assert texts <= {f"text {index:03}" for index in range(12)}


async def test_a_lane_puts_its_shard_down_when_its_quantum_is_over_and_others_wait(
    world: BatchWorld,
) -> None:
    await world.keep_job("large", [line_of(index) for index in range(4)])
    await world.planner().step()
    rooms = LanesWorld(world, lanes=1)
    async with rooms.running():
        await rooms.settle_with(begun=2)
        lines = [line_of(index) for index in range(100, 102)]
        await world.keep_job("small", lines, project=ProjectId("team-b"))
        await world.planner().step()
        rooms.pool.answer_one(0)
        await rooms.settle_with(begun=3)
        assert rooms.pool.begun[-1] == (0, "text 002"), "the quantum is not over"
        world.clock.advance(timedelta(seconds=11))
        await rooms.writer.flush()
        rooms.pool.answer_one(0)
        await rooms.settle_with(begun=4)
        assert rooms.pool.begun[-1] == (0, "text 100"), "the other project had nothing yet"
        while (await world.job("large")).counts.pending:
            for lane in list(rooms.pool.outstanding()):
                rooms.pool.answer_one(lane)
            await rooms.settle()
            await rooms.writer.flush()
            await rooms.settle()
    assert (await world.job("large")).counts.succeeded == 4
    texts = [text for _, text in rooms.pool.begun]
    assert len(texts) == len(set(texts)) == 6, "nothing ran twice"


class SharedPool(LanePool):
    """One stream to an engine with one cache for all; reports when a prompt is read."""

    share_cache = True
    window = 4

    def __init__(self) -> None:
        super().__init__(lanes=1)
        self.read: dict[str, Callable[[], None]] = {}

    async def answer(
        self, request: GenerateContentRequest, *, begun: Callable[[], None], **how: Any
    ) -> Answered:
        text = (request.contents or [])[0].parts[0].text
        self.read[text[-1]] = begun
        return await super().answer(request, **how)


async def test_with_a_shared_cache_a_leader_goes_first_and_the_others_when_it_is_read(
    world: BatchWorld,
) -> None:
    passages = ["x" * 500, "y" * 500]
    lines = [
        json.dumps({"request": {"contents": [{"parts": [{"text": passage + letter}]}]}}).encode()
        for passage, letters in zip(passages, ("ab", "cd"), strict=True)
        for letter in letters
    ]
    await world.keep_job("one", lines)
    await world.planner().step()
    rooms = LanesWorld(world, lanes=1)
    rooms.pool = SharedPool()
    rooms.runner = rooms.runner_of(world, rooms.pool)
    async with rooms.running():
        await rooms.until(lambda: sorted(rooms.pool.read) == ["a", "c"])
        rooms.pool.read["c"]()
        await rooms.until(lambda: len(rooms.pool.read) > 2)
        assert sorted(rooms.pool.read) == ["a", "c", "d"]


async def test_a_lane_that_rests_leaves_its_shard_to_the_others(world: BatchWorld) -> None:
    await world.planned_job("one", 16)  # four shards of four
    rooms = LanesWorld(world, lanes=2)
    async with rooms.running():
        await rooms.until(lambda: rooms.pool.outstanding() == {0: 2, 1: 2})
        rooms.pool.resting.add(1)
        while (await world.job("one")).counts.pending:
            for lane in list(rooms.pool.outstanding()):
                rooms.pool.answer_one(lane)
            await rooms.settle()
            await rooms.writer.flush()
            await rooms.settle()
    assert [lane for lane, _ in rooms.pool.begun].count(1) == 2, "what it had begun"
    texts = [text for _, text in rooms.pool.begun]
    assert len(texts) == len(set(texts)) == 16, "nothing ran twice"


async def test_a_worker_that_is_cut_off_begins_nothing_until_it_is_not(world: BatchWorld) -> None:
    await world.planned_job("one", 8)
    rooms = LanesWorld(world, lanes=1)
    async with rooms.running():
        await rooms.settle_with(begun=2)
        rooms.is_cut_off = True
        rooms.pool.answer_one(0)
        await rooms.until(lambda: rooms.pool.answered == 1)
        await rooms.settle()
        assert len(rooms.pool.begun) == 2
        rooms.is_cut_off = False
        rooms.runner.wake()
        await rooms.settle_with(begun=3)
    await rooms.writer.flush()
    assert (await world.job("one")).counts.succeeded == 1, "what ran is counted"


class StoppingPool(LanePool):
    """Fails each request: its engine has stopped."""

    async def answer(self, *_: Any, **__: Any) -> GenerateContentResponse:
        raise EngineStopped("The server is stopping.")


async def test_when_the_engine_stops_nothing_more_is_begun_and_no_request_has_an_outcome(
    world: BatchWorld,
) -> None:
    await world.planned_job("one", 8)
    rooms = LanesWorld(world, lanes=2)
    runner = rooms.runner_of(world, StoppingPool(2))
    async with asyncio.timeout(PATIENCE_SECONDS):
        await runner.run()
    await rooms.writer.flush()
    counts = (await world.job("one")).counts
    assert (counts.succeeded, counts.failed) == (0, 0)
