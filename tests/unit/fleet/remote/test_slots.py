"""Places at servers: a call that finds no room goes in when a batch call has left for it."""

import asyncio
from collections.abc import Callable

from support.waiting import PATIENCE_SECONDS
from toplu.fleet.lanes.claim import Claim, Preempted
from toplu.fleet.lanes.reserve import Reserve
from toplu.fleet.remote.batch_seats import BatchSeats, StepSample
from toplu.fleet.remote.slots import ServerSlots
from toplu.settings.remote import RemoteSettings


class Group:
    """Servers that take so many requests."""

    reason = ""
    opens_at = None
    capacity_max = 8

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.batch_seats = BatchSeats(RemoteSettings(), now=self.now)
        self.on_room: Callable[[], None] = lambda: None

    @property
    def batch_capacity(self) -> int:
        return self.batch_seats.limit(self.capacity, 1)

    def is_far_over(self, seats: int) -> bool:
        return self.batch_seats.is_far_over(seats, 1)

    def now(self) -> float:
        return asyncio.get_running_loop().time()


class Callers:
    def __init__(self, tasks: asyncio.TaskGroup, capacity: int, *, reserves: bool = False) -> None:
        reserve = Reserve(seconds=60.0, now=lambda: 0.0) if reserves else None
        self.gate = ServerSlots(Group(capacity), lanes=1, reserve=reserve)  # type: ignore[arg-type]
        self._tasks = tasks
        self.inside: set[str] = set()
        self.most = 0
        self.preempted: list[str] = []
        self._leave: dict[str, asyncio.Event] = {}

    async def come(self, *names: str, interactive: bool = False) -> None:
        for name in names:
            self._leave[name] = asyncio.Event()
            claim = Claim(interactive=interactive, preemptions_max=1)
            self._tasks.create_task(self._call(name, claim))
            for _ in range(10):
                await asyncio.sleep(0)

    async def _call(self, name: str, claim: Claim) -> None:
        while True:
            try:
                async with self.gate.slot(claim):
                    self.inside.add(name)
                    self.most = max(self.most, len(self.inside))
                    try:
                        await self._leave[name].wait()
                    finally:
                        self.inside.remove(name)
                    return
            except Preempted:
                self.preempted.append(name)

    async def go(self, name: str) -> None:
        self._leave[name].set()
        for _ in range(10):
            await asyncio.sleep(0)

    def all_go(self) -> None:
        for leave in self._leave.values():
            leave.set()


async def test_a_call_breaks_off_the_batch_call_that_began_last_and_never_one_too_many() -> None:
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as tasks:
        callers = Callers(tasks, 2)
        await callers.come("a", "b", "c")
        assert callers.inside == {"a", "b"}
        await callers.come("now", interactive=True)
        assert callers.inside == {"a", "now"}
        assert callers.preempted == ["b"]
        await callers.go("now")
        assert callers.inside == {"a", "b"}, "what had to leave goes before what waits"
        await callers.come("now, too", interactive=True)
        assert callers.inside == {"now, too", "b"}, "nobody has to leave twice"
        assert callers.most == 2
        callers.all_go()


async def test_a_part_of_the_room_is_kept_while_calls_come() -> None:
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as tasks:
        callers = Callers(tasks, 3, reserves=True)
        await callers.come("now", interactive=True)
        await callers.go("now")
        await callers.come("a", "b", "c")
        assert callers.inside == {"a", "b"}
        await callers.come("now, too", interactive=True)
        assert callers.inside == {"a", "b", "now, too"}
        assert callers.preempted == []
        callers.all_go()


async def test_with_no_room_at_all_nobody_is_broken_off() -> None:
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as tasks:
        callers = Callers(tasks, 1)
        await callers.come("a")
        callers.gate._group.capacity = 0  # all servers pause
        await callers.come("now", interactive=True)
        assert callers.inside == {"a"}
        callers.all_go()
        callers.gate._group.capacity = 1
        callers.gate._group.on_room()


async def test_batches_leave_at_once_where_they_make_calls_far_too_slow() -> None:
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as tasks:
        callers = Callers(tasks, 8)
        costs = callers.gate._group.batch_seats.costs
        costs.note(StepSample(1, 1.1))
        costs.note(StepSample(8, 8.1))
        await callers.come(*"abcdef")
        assert len(callers.inside) == 6
        await callers.come("now", interactive=True)
        assert callers.inside == {"a", "now"}
        await callers.go("a")
        assert callers.inside == {"b", "now"}, "one of a batch is always there"
        callers.all_go()


async def test_batches_stay_where_their_steps_cost_hardly_more() -> None:
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as tasks:
        callers = Callers(tasks, 8)
        costs = callers.gate._group.batch_seats.costs
        costs.note(StepSample(1, 1.0))
        costs.note(StepSample(8, 1.1))
        await callers.come(*"abcdef")
        await callers.come("now", interactive=True)
        assert callers.inside == {*"abcdef", "now"}
        callers.all_go()
