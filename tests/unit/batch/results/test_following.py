"""A client that follows a batch has each result once, whenever it asks and whatever happens."""

import json
from collections.abc import Iterable

import pytest

from support.batch.batch_world import PROJECT, BatchWorld, line_of, result_of, taken
from toplu.batch.jobs.retry import Rest
from toplu.batch.results.cursor import Cursor
from toplu.batch.results.following import Following, Given
from toplu.batch.run.leased_shard import LeasedShard
from toplu.batch.run.result_writer import ResultWriter
from toplu.errors import InvalidArgument
from toplu.job import JobId, JobState

ONE = JobId("one")


def following(world: BatchWorld) -> Following:
    return Following(
        jobs=world.jobs, blobs=world.blobs, results=world.result_reader(), lookup=world.lookup()
    )


async def numbers_of(given: Given) -> list[int]:
    pieces = b"".join([piece async for piece in given.pieces])
    numbers = [json.loads(line)["line"] for line in pieces.splitlines()]
    assert len(numbers) == given.count
    return numbers


class Client:
    """A client that comes back with what it was told, and with nothing else."""

    def __init__(self, world: BatchWorld, job: JobId = ONE) -> None:
        self._world = world
        self._job = job
        self._place = ""
        self.has_ended = False

    async def ask(self) -> list[int]:
        cursor = Cursor.of_text(self._place)
        async with following(self._world).after(PROJECT, self._job, cursor, 0) as given:
            assert isinstance(given.behind, Cursor)
            self._place, self.has_ended = given.behind.text, given.has_ended
            return await numbers_of(given)


async def answer(writer: ResultWriter, shard: LeasedShard, indexes: Iterable[int]) -> None:
    for index in indexes:
        writer.add(shard, result_of(index, succeeded=index != 1))
    await writer.step()


async def test_each_result_is_given_once_as_it_came(world: BatchWorld) -> None:
    await world.planned_job("one", 12)
    client, writer = Client(world), world.writer()
    assert await client.ask() == []
    first, second = await world.open_shard(), await world.open_shard()
    of_first, of_second = taken(first), taken(second)
    await answer(writer, second, of_second[:2])
    assert await client.ask() == [index + 1 for index in of_second[:2]]
    assert await client.ask() == []
    await answer(writer, first, reversed(of_first))
    await answer(writer, second, of_second[2:])
    found = await client.ask()
    assert sorted(found) == sorted(index + 1 for index in [*of_first, *of_second[2:]])
    assert not client.has_ended
    late = Client(world)
    assert sorted(await late.ask()) == sorted(index + 1 for index in [*of_first, *of_second])
    while (await world.job("one")).counts.pending:
        last = await world.open_shard()
        await answer(writer, last, taken(last))
    await world.assembler().step()
    rest = {index + 1 for index in range(12)} - {it + 1 for it in [*of_first, *of_second]}
    # The log is gone: what the client lacks is read from the output.
    for each in (client, late):
        assert set(await each.ask()) == rest
        assert each.has_ended
        assert await each.ask() == []


async def test_what_is_missing_of_a_shard_comes_after_the_success(world: BatchWorld) -> None:
    await world.planned_job("one", 4)
    client, writer, shard = Client(world), world.writer(), await world.open_shard()
    indexes = taken(shard)
    await answer(writer, shard, indexes[:1])
    assert await client.ask() == [indexes[0] + 1]
    await answer(writer, shard, indexes[1:])
    await world.assembler().step()
    assert sorted(await client.ask()) == sorted(index + 1 for index in indexes[1:])
    assert client.has_ended


async def test_the_end_of_a_batch_that_is_cancelled_is_told(world: BatchWorld) -> None:
    await world.planned_job("one", 4)
    client, shard = Client(world), await world.open_shard()
    indexes = taken(shard)
    await answer(world.writer(), shard, indexes[:2])
    await world.jobs.move(ONE, JobState.CANCELLED, world.clock.now())
    assert await client.ask() == [index + 1 for index in indexes[:2]]
    assert client.has_ended


async def test_carried_results_come_first_and_once(world: BatchWorld) -> None:
    await world.keep_job("one", [line_of(index) for index in range(4)])
    await world.planner().step()
    writer, shard = world.writer(), await world.open_shard()
    done = taken(shard)[:2]
    await answer(writer, shard, [index for index in done if index != 1])
    ended = await world.jobs.move(ONE, JobState.CANCELLED, world.clock.now())
    assert ended is not None
    made = await world.retries().create_batch([Rest(job=ended, engine="echo")], merge=True)
    client = Client(world, made.id)
    carried = await client.ask()
    assert carried == [index + 1 for index in done if index != 1]
    rest = await world.open_shard()
    await answer(writer, rest, taken(rest))
    await world.assembler().step()
    assert sorted([*carried, *await client.ask()]) == [1, 2, 3, 4]


async def test_in_input_order_nothing_comes_before_its_turn(world: BatchWorld) -> None:
    await world.planned_job("one", 4)
    writer, shard = world.writer(), await world.open_shard()
    assert sorted(taken(shard)) == [0, 1, 2, 3]

    async def ask(passed: int) -> tuple[list[int], object, bool]:
        async with following(world).in_order(PROJECT, ONE, passed, 0) as given:
            return await numbers_of(given), given.behind, given.has_ended

    await answer(writer, shard, [0, 2])
    assert await ask(0) == ([1], 1, False)
    assert await ask(1) == ([], 1, False)
    await answer(writer, shard, [1])
    assert await ask(1) == ([2, 3], 3, False)
    await answer(writer, shard, [3])
    await world.assembler().step()
    assert await ask(3) == ([4], 4, True)
    assert await ask(9) == ([], 9, True)


async def test_what_lies_behind_a_gap_comes_at_a_bad_end(world: BatchWorld) -> None:
    await world.planned_job("one", 4)
    shard = await world.open_shard()
    taken(shard)
    await answer(world.writer(), shard, [0, 2])
    await world.jobs.move(ONE, JobState.EXPIRED, world.clock.now())
    async with following(world).in_order(PROJECT, ONE, 1, 0) as given:
        assert (await numbers_of(given), given.behind, given.has_ended) == ([3], 4, True)


@pytest.mark.parametrize("text", ["x", "AAAA", "é", "a" * 100_000, Cursor().text[:-3]])
def test_a_place_that_is_none_is_an_error(text: str) -> None:
    with pytest.raises(InvalidArgument, match="not a place"):
        Cursor.of_text(text)
