"""Places on lanes: a batch call waits for its own lane, an interactive one for none."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from toplu.fleet.lanes import Lanes


class Callers:
    """Calls that take places and hold them until they are told to let go."""

    def __init__(self, lanes: Lanes, tasks: asyncio.TaskGroup) -> None:
        self._lanes = lanes
        self._tasks = tasks
        self.placed: list[tuple[str, int]] = []
        self._leave: dict[str, asyncio.Event] = {}
        self.calls: dict[str, asyncio.Task[None]] = {}

    async def come(self, name: str, *, interactive: bool = False, lane: int | None = None) -> None:
        self._leave[name] = asyncio.Event()

        async def call() -> None:
            async with self._lanes.place(interactive=interactive, lane=lane) as taken:
                self.placed.append((name, taken))
                await self._leave[name].wait()

        self.calls[name] = self._tasks.create_task(call())
        await asyncio.sleep(0)

    async def go(self, name: str) -> None:
        self._leave[name].set()
        await self.calls[name]
        await asyncio.sleep(0)

    def all_go(self) -> None:
        for leave in self._leave.values():
            leave.set()


async def test_a_pinned_call_waits_for_its_lane_though_another_is_free() -> None:
    async with asyncio.TaskGroup() as tasks:
        callers = Callers(Lanes(2), tasks)
        for name in ("a", "b", "c"):
            await callers.come(name, lane=1)
        assert callers.placed == [("a", 1), ("b", 1)]
        await callers.come("d", lane=0)
        assert callers.placed[-1] == ("d", 0)
        await callers.go("d")
        assert ("c", 1) not in callers.placed
        await callers.go("b")
        assert callers.placed[-1] == ("c", 1)
        callers.all_go()


async def test_an_interactive_call_takes_the_emptiest_lane() -> None:
    async with asyncio.TaskGroup() as tasks:
        callers = Callers(Lanes(3), tasks)
        for lane in (0, 0, 1):
            await callers.come(f"batch {len(callers.placed)}", lane=lane)
        await callers.come("now", interactive=True)
        assert callers.placed[-1] == ("now", 2)
        callers.all_go()


async def test_an_interactive_call_goes_before_the_lanes_own() -> None:
    async with asyncio.TaskGroup() as tasks:
        callers = Callers(Lanes(1), tasks)
        for name in ("a", "b", "waits"):
            await callers.come(name, lane=0)
        await callers.come("now", interactive=True)
        await callers.go("a")
        assert callers.placed[-1] == ("now", 0)
        await callers.go("b")
        assert callers.placed[-1] == ("waits", 0)
        callers.all_go()


async def test_a_pinned_call_that_is_cancelled_leaves_its_turn_to_the_next() -> None:
    async with AsyncExitStack() as stack:
        lanes = Lanes(2)
        for _ in range(2):
            await stack.enter_async_context(lanes.place(interactive=False, lane=1))
        async with asyncio.TaskGroup() as tasks:
            callers = Callers(lanes, tasks)
            await callers.come("gone", lane=1)
            await callers.come("next", lane=1)
            callers.calls["gone"].cancel()
            with pytest.raises(asyncio.CancelledError):
                await callers.calls["gone"]
            await stack.aclose()
            await asyncio.sleep(0)
            assert callers.placed == [("next", 1)]
            callers.all_go()
