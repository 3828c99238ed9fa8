"""The dispatcher gives each lane work while there is any, and ends its turn when others wait."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from support.batch.batch_world import BatchWorld, line_of, record
from support.batch.lanes_world import asked
from toplu.batch.loop import Wakeups
from toplu.batch.run.dispatcher import Assignment, Dispatcher
from toplu.batch.schedule.scheduler import Scheduler
from toplu.job import JobId, ProjectId
from toplu.money import Usage


class Desk:
    """A dispatcher over real stores, asked by the test in place of lanes."""

    def __init__(self, world: BatchWorld, lanes: int = 2) -> None:
        self.world = world
        self.scheduler = world.scheduler()
        self.writer = world.writer()
        wakeups = Wakeups(lanes)
        self.shards = world.leased_shards(self.scheduler, self.writer, wakeups)
        self.dispatcher = Dispatcher(
            engine="echo",
            streams=lanes,
            clock=world.clock,
            scheduler=self.scheduler,
            shards=self.shards,
            wakeups=wakeups,
        )

    async def assign(self, lane: int, *, idle: bool = True) -> Assignment | None:
        return await self.dispatcher.assign(lane, None, idle=idle)

    async def assigned(self, lane: int) -> Assignment:
        found = await self.assign(lane)
        assert found is not None
        return found

    def take(self, assignment: Assignment) -> list[int]:
        taken = self.dispatcher.take(assignment)
        return [] if taken is None else [line.index for line in taken[1]]


async def test_lanes_have_shards_of_their_own_and_then_parts_of_them(world: BatchWorld) -> None:
    await world.planned_job("one", 8)  # two shards of four
    desk = Desk(world, lanes=3)
    first, second, third = [await desk.assigned(lane) for lane in range(3)]
    assert first.shard is not second.shard
    assert third.shard in (first.shard, second.shard)
    assert third.span not in (first.span, second.span)
    assert desk.shards.unstarted == 8


async def test_a_lane_that_still_awaits_answers_takes_no_part_of_another(
    world: BatchWorld,
) -> None:
    await world.planned_job("one", 4)
    desk = Desk(world)
    await desk.assigned(0)
    assert await desk.assign(1, idle=False) is None
    assert await desk.assign(1) is not None


async def test_requests_are_scarce_where_idle_lanes_would_begin_all(world: BatchWorld) -> None:
    await world.planned_job("one", 2)
    desk = Desk(world, lanes=3)
    first = await desk.assigned(0)
    assert not desk.dispatcher.is_scarce, "nobody is idle"
    second = await desk.assigned(1)
    assert desk.take(first)
    assert desk.take(second)
    assert await desk.assign(2) is None
    assert desk.dispatcher.is_scarce
    desk.dispatcher.set_aside(2, None, idle=True)
    assert not desk.dispatcher.is_scarce, "the lane is kept for other calls"


async def test_at_the_end_the_longest_is_taken_from_any_lane(world: BatchWorld) -> None:
    lengths = [10, 10, 10, 10, 10, 900, 10, 10]
    await world.keep_job("one", [asked(index, most) for index, most in enumerate(lengths)])
    await world.planner().step()
    desk = Desk(world)
    first = await desk.assigned(0)
    second = await desk.assigned(1)
    assert desk.dispatcher.is_last_phase
    before = len(second.span)
    assert desk.take(first) == [5]
    assert len(second.span) == before - 1


async def test_a_turn_ends_after_a_quantum_and_only_for_others(world: BatchWorld) -> None:
    await world.keep_job("large", [line_of(index) for index in range(4)])
    await world.planner().step()
    desk = Desk(world, lanes=1)
    own = await desk.assigned(0)
    assert desk.dispatcher.has_quantum(0, own.shard.lease.job)
    world.clock.advance(desk.scheduler.quantum)
    assert not desk.dispatcher.has_quantum(0, own.shard.lease.job)
    assert await desk.dispatcher.keeps_turn(0, own.shard), "nobody waits"
    assert desk.dispatcher.has_quantum(0, own.shard.lease.job)
    lines = [line_of(index) for index in range(100, 102)]
    await world.keep_job("small", lines, project=ProjectId("team-b"))
    await world.planner().step()
    for index in desk.take(own):
        desk.writer.add(own.shard, replace(record(index), usage=Usage(prompt_tokens=100)))
    await desk.writer.flush()
    world.clock.advance(desk.scheduler.quantum)
    assert not await desk.dispatcher.keeps_turn(0, own.shard)
    assert len(own.span) == 0, "left to others"
    assert (await desk.assigned(0)).job == JobId("small")


async def test_a_clock_that_was_put_back_ends_a_quantum(world: BatchWorld) -> None:
    await world.planned_job("one", 4)
    desk = Desk(world)
    own = await desk.assigned(0)
    world.clock.advance(-timedelta(hours=1))
    assert not desk.dispatcher.has_quantum(0, own.shard.lease.job)


async def test_a_turn_goes_on_while_the_database_is_away(
    world: BatchWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.planned_job("one", 4)
    desk = Desk(world)
    own = await desk.assigned(0)

    async def fail(*_: Any) -> bool:
        raise ConnectionError("the database is away")

    monkeypatch.setattr(Scheduler, "keeps_turn", fail)
    assert await desk.dispatcher.keeps_turn(0, own.shard)
    assert len(own.span) == 4


async def test_a_lane_that_is_set_aside_leaves_its_shard_to_others(world: BatchWorld) -> None:
    await world.planned_job("one", 4)
    desk = Desk(world)
    own = await desk.assigned(0)
    desk.dispatcher.set_aside(0, own.shard, idle=True)
    again = await desk.assigned(1)
    assert own.shard.dropped
    assert again.shard.lease.shard.number == own.shard.lease.shard.number
    assert len(again.span) == 4
