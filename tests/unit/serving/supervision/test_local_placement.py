"""Replicas as processes: as many as are wanted, each with a keeper, the last ones ended first."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from toplu.serving.supervision.local_placement import LocalPlacement

END_SECONDS = 7.0


class FakeKeeper:
    """Takes the place of a keeper; its process ends when the test says so."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_ending = False
        self.ended = asyncio.Event()

    async def run(self) -> None:
        await self.ended.wait()

    async def end(self, seconds_max: float) -> None:
        assert seconds_max == END_SECONDS
        assert not self.is_ending, "it is asked once"
        self.is_ending = True
        await self.ended.wait()


class Processes:
    """A placement, and the keepers that it made."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self.made: list[FakeKeeper] = []
        self.placement = LocalPlacement(self._make, tasks, end_seconds_max=END_SECONDS)

    def _make(self, model: str, number: int) -> FakeKeeper:
        self.made.append(FakeKeeper(f"{model}-{number}"))
        return self.made[-1]

    async def place(self, **wanted: int) -> None:
        await self.placement.place(wanted)
        await asyncio.sleep(0)

    @property
    def names(self) -> list[str]:
        return [keeper.name for keeper in self.placement.keepers]

    @property
    def ending(self) -> list[str]:
        return [keeper.name for keeper in self.placement.keepers if keeper.is_ending]


@pytest.fixture
async def processes() -> AsyncIterator[Processes]:
    async with asyncio.TaskGroup() as tasks:
        found = Processes(tasks)
        yield found
        for keeper in found.made:
            keeper.ended.set()


async def test_as_many_are_started_as_are_wanted_and_once(processes: Processes) -> None:
    for _ in range(3):
        await processes.place(one=2, two=1, three=0)
    assert processes.names == ["one-0", "one-1", "two-0"]
    assert len(processes.made) == 3


async def test_the_last_ones_end_and_are_asked_once(processes: Processes) -> None:
    await processes.place(one=3)
    for _ in range(3):
        await processes.place(one=1)
    assert sorted(processes.ending) == ["one-1", "one-2"]
    processes.made[2].ended.set()
    await asyncio.sleep(0)
    assert processes.names == ["one-0", "one-1"]


async def test_a_model_that_is_not_named_has_none(processes: Processes) -> None:
    await processes.place(one=1)
    await processes.place()
    assert processes.ending == ["one-0"]


async def test_one_that_is_wanted_while_it_ends_begins_when_it_has_ended(
    processes: Processes,
) -> None:
    await processes.place(one=1)
    await processes.place(one=0)
    await processes.place(one=1)
    assert len(processes.made) == 1
    processes.made[0].ended.set()
    await asyncio.sleep(0)
    await processes.place(one=1)
    assert len(processes.made) == 2
    assert (processes.names, processes.ending) == (["one-0"], [])
