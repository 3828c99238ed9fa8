"""Places on lanes: a batch call waits for its own lane, an interactive one for no batch call."""

import asyncio
from collections.abc import Callable

import pytest

from toplu.fleet.lanes.claim import Claim, Preempted
from toplu.fleet.lanes.lanes import COUNTS_MAX, Lanes
from toplu.fleet.lanes.reserve import Reserve

PREEMPTIONS_MAX = 2
SEEN_SECONDS = 60.0


class Callers:
    """Calls that take places, again if they are preempted, and hold them until they may go."""

    def __init__(self, tasks: asyncio.TaskGroup, lanes: int, *, reserves: bool = False) -> None:
        self.now = 0.0
        reserve = Reserve(seconds=SEEN_SECONDS, now=lambda: self.now) if reserves else None
        self.lanes = Lanes(lanes, reserve, now=lambda: self.now)
        self._tasks = tasks
        self.placed: list[tuple[str, int]] = []
        self.preempted: list[str] = []
        self._leave: dict[str, asyncio.Event] = {}
        self.calls: dict[str, asyncio.Task[None]] = {}

    async def come(
        self,
        name: str,
        *,
        interactive: bool = False,
        has_priority: bool = False,
        may_stop: Callable[[], bool] = lambda: True,
        lane: int | None = None,
        takes_lane: bool = True,
    ) -> None:
        leave = self._leave[name] = asyncio.Event()
        claim = Claim(
            interactive=interactive,
            has_priority=has_priority,
            may_stop=may_stop,
            lane=lane,
            takes_lane=takes_lane,
            preemptions_max=PREEMPTIONS_MAX,
        )

        async def call() -> None:
            while True:
                try:
                    async with self.lanes.slot(claim) as taken:
                        self.placed.append((name, taken))
                        await leave.wait()
                        return
                except Preempted:
                    self.preempted.append(name)

        self.calls[name] = self._tasks.create_task(call())
        self.now += 1.0
        await self.settle()

    async def go(self, name: str) -> None:
        self.now += 1.0
        self._leave[name].set()
        await self.calls[name]
        await self.settle()

    async def settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    def all_go(self) -> None:
        for leave in self._leave.values():
            leave.set()


async def test_a_pinned_call_waits_for_its_lane_though_another_is_free() -> None:
    async with asyncio.TaskGroup() as tasks:
        callers = Callers(tasks, 2)
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


async def test_an_interactive_call_takes_an_empty_lane_and_preempts_nobody() -> None:
    async with asyncio.TaskGroup() as tasks:
        callers = Callers(tasks, 4)
        for lane in (0, 0, 1):
            await callers.come(f"batch {len(callers.placed)}", lane=lane)
        await callers.come("now", interactive=True)
        assert callers.placed[-1] == ("now", 3)  # the last ones are those that are reserved
        await callers.come("now, too", interactive=True)
        assert callers.placed[-1] == ("now, too", 2)
        assert callers.preempted == []
        callers.all_go()


async def test_an_interactive_call_preempts_where_least_is_lost() -> None:
    async with asyncio.TaskGroup() as tasks:
        callers = Callers(tasks, 3)
        for lane in (0, 2, 1):
            await callers.come(f"runs on {lane}", lane=lane)
        for lane in (0, 1, 2):
            await callers.come(f"behind on {lane}", lane=lane)
        await callers.come("now", interactive=True)
        assert sorted(callers.preempted) == ["behind on 1", "runs on 1"]
        # Behind the call there is a place for the first of those that had to go.
        assert callers.placed[-2:] == [("now", 1), ("runs on 1", 1)]
        await callers.go("now")
        assert callers.placed[-1] == ("behind on 1", 1)
        callers.all_go()


async def test_a_call_that_has_only_begun_loses_less_than_one_that_came_later_and_runs() -> None:
    async with asyncio.TaskGroup() as tasks:
        callers = Callers(tasks, 2)
        await callers.come("ends soon", lane=0)
        await callers.come("behind it", lane=0)
        await callers.come("runs", lane=1)
        await callers.go("ends soon")
        await callers.come("now", interactive=True)
        assert callers.preempted == ["behind it"]
        callers.all_go()


async def test_interactive_calls_do_not_preempt_each_other_and_have_the_next_lane() -> None:
    async with asyncio.TaskGroup() as tasks:
        callers = Callers(tasks, 1)
        await callers.come("now", interactive=True)
        await callers.come("next", interactive=True)
        await callers.come("batch", lane=0)
        assert callers.placed == [("now", 0)]
        await callers.go("now")
        assert callers.placed == [("now", 0), ("next", 0), ("batch", 0)]
        assert callers.preempted == []
        callers.all_go()


async def test_a_call_that_was_preempted_often_enough_is_left_alone() -> None:
    async with asyncio.TaskGroup() as tasks:
        callers = Callers(tasks, 1)
        await callers.come("batch", lane=0)
        for number in range(PREEMPTIONS_MAX):
            await callers.come(f"now {number}", interactive=True)
            await callers.go(f"now {number}")
        assert callers.preempted == ["batch"] * PREEMPTIONS_MAX
        await callers.come("waits", interactive=True)
        assert callers.placed[-1] == ("batch", 0)
        await callers.go("batch")
        assert callers.placed[-1] == ("waits", 0)
        callers.all_go()


async def test_calls_that_keep_coming_do_not_starve_a_batch() -> None:
    async with asyncio.TaskGroup() as tasks:
        callers = Callers(tasks, 1)
        await callers.come("batch", lane=0)
        await callers.come("now 0", interactive=True)
        for number in range(1, 10):
            await callers.come(f"now {number}", interactive=True)
            await callers.go(f"now {number - 1}")
            if callers.placed[-1] == ("batch", 0):
                break
        assert callers.preempted == ["batch"] * len(callers.preempted)
        assert len(callers.preempted) <= PREEMPTIONS_MAX
        callers.all_go()
    assert ("batch", 0) in callers.placed[1:]


async def test_no_batch_call_begins_on_a_reserved_lane() -> None:
    async with asyncio.TaskGroup() as tasks:
        callers = Callers(tasks, 2, reserves=True)
        await callers.come("runs", lane=1)
        await callers.come("now", interactive=True)
        assert callers.placed == [("runs", 1), ("now", 0)]
        assert callers.lanes.is_reserved(1)
        assert not callers.lanes.is_reserved(0)
        await callers.come("batch", lane=1)
        assert callers.placed[-1] == ("batch", 0)
        await callers.go("runs")
        await callers.come("another", lane=1)
        assert ("another", 1) not in callers.placed
        callers.now += SEEN_SECONDS + 1
        assert not callers.lanes.is_reserved(1)
        await callers.come("later", lane=1)
        assert sorted(callers.placed[-2:]) == [("another", 1), ("later", 1)]
        callers.all_go()


async def test_what_was_preempted_on_a_reserved_lane_goes_on_elsewhere() -> None:
    async with asyncio.TaskGroup() as tasks:
        callers = Callers(tasks, 2, reserves=True)
        await callers.come("on 0", lane=0)
        await callers.come("on 1", lane=1)
        await callers.come("now", interactive=True)
        assert callers.placed[-2:] == [("now", 1), ("on 1", 0)]
        callers.all_go()


async def test_the_only_lane_is_never_reserved() -> None:
    async with asyncio.TaskGroup() as tasks:
        callers = Callers(tasks, 1, reserves=True)
        await callers.come("now", interactive=True)
        await callers.go("now")
        assert not callers.lanes.is_reserved(0)
        await callers.come("batch", lane=0)
        assert callers.placed[-1] == ("batch", 0)
        callers.all_go()


async def test_a_count_takes_no_lane_and_preempts_nobody() -> None:
    async with asyncio.TaskGroup() as tasks:
        callers = Callers(tasks, 1, reserves=True)
        for name in ("a", "b"):
            await callers.come(name, lane=0)
        for number in range(COUNTS_MAX + 1):
            await callers.come(f"count {number}", interactive=True, takes_lane=False)
        assert len(callers.placed) == 2 + COUNTS_MAX
        assert callers.preempted == []
        callers.all_go()


@pytest.mark.parametrize("interactive", [False, True])
async def test_a_call_that_is_cancelled_leaves_its_turn_to_the_next(interactive: bool) -> None:
    async with asyncio.TaskGroup() as tasks:
        callers = Callers(tasks, 1)
        await callers.come("now", interactive=True)
        await callers.come("behind", lane=0)
        await callers.come("gone", interactive=interactive, lane=None if interactive else 0)
        await callers.come("next", lane=0)
        callers.calls["gone"].cancel()
        with pytest.raises(asyncio.CancelledError):
            await callers.calls["gone"]
        await callers.go("now")
        assert callers.placed == [("now", 0), ("behind", 0), ("next", 0)]
        callers.all_go()


async def test_a_call_that_is_cancelled_as_it_is_preempted_is_gone() -> None:
    async with asyncio.TaskGroup() as tasks:
        callers = Callers(tasks, 1)
        await callers.come("batch", lane=0)
        callers._leave["now"] = asyncio.Event()
        coming = tasks.create_task(callers.come("now", interactive=True))
        await asyncio.sleep(0)
        callers.calls["batch"].cancel()
        await coming
        assert callers.calls["batch"].cancelled()
        assert callers.placed == [("batch", 0), ("now", 0)]
        callers.all_go()


async def test_a_call_with_priority_goes_before_all_that_wait() -> None:
    async with asyncio.TaskGroup() as tasks:
        callers = Callers(tasks, 1)
        await callers.come("runs", interactive=True)
        await callers.come("batch", lane=0)
        await callers.come("first", interactive=True)
        await callers.come("flex")
        await callers.come("at once", interactive=True, has_priority=True)
        for name in ("runs", "at once", "first"):
            await callers.go(name)
        calls = [name for name, _ in callers.placed if name not in ("batch", "flex")]
        assert calls == ["runs", "at once", "first"]
        # Of those that wait like a batch the older one goes first.
        assert [name for name, _ in callers.placed[-2:]] == ["batch", "flex"]
        callers.all_go()


async def test_what_cannot_begin_again_is_not_preempted() -> None:
    async with asyncio.TaskGroup() as tasks:
        callers = Callers(tasks, 1)
        has_begun = False
        await callers.come("stream", may_stop=lambda: not has_begun)
        await callers.come("now", interactive=True)
        assert callers.preempted == ["stream"]
        await callers.go("now")
        has_begun = True
        await callers.come("next", interactive=True)
        assert callers.preempted == ["stream"]
        assert callers.placed[-1] == ("stream", 0)
        await callers.go("stream")
        assert callers.placed[-1] == ("next", 0)
        callers.all_go()
