"""A runner whose lanes are watched, with a pool that answers when the test says so."""

import asyncio
import contextlib
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from typing import Any

from support.batch.batch_world import ANSWER, BatchWorld, line_of
from support.store.rows import end_others
from support.waiting import PATIENCE_SECONDS
from toplu.batch.run.runner import Runner
from toplu.fleet.work import Answered
from toplu.store.rows.jobs import JobRows
from toplu.wire.gemini.content import GenerateContentRequest


class LanePool:
    """Answers the oldest request of a lane when the test says so."""

    window = 2
    share_cache = False

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        self.on_lane: dict[int, list[tuple[str, asyncio.Future[None]]]] = defaultdict(list)
        self.begun: list[tuple[int, str]] = []
        self.answered = 0
        self.resting: set[int] = set()

    def is_reserved(self, lane: int) -> bool:
        return lane in self.resting

    async def answer(self, request: GenerateContentRequest, *, lane: int, **_: Any) -> Answered:
        text = (request.contents or [])[0].parts[0].text
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (text, answered)
        self.on_lane[lane].append(entry)
        self.begun.append((lane, text))
        try:
            await answered
        finally:
            self.on_lane[lane].remove(entry)
        self.answered += 1
        return ANSWER

    def answer_one(self, lane: int) -> None:
        self.on_lane[lane][0][1].set_result(None)

    def outstanding(self) -> dict[int, int]:
        return {lane: len(entries) for lane, entries in self.on_lane.items() if entries}


def asked(index: int, output_tokens_max: int) -> bytes:
    """Return a line that says how long its answer may be."""
    line = json.loads(line_of(index))
    line["request"]["generationConfig"] = {"maxOutputTokens": output_tokens_max}
    return json.dumps(line).encode()


class LanesWorld:
    def __init__(self, world: BatchWorld, lanes: int) -> None:
        self.clock = world.clock
        self.scheduler = world.scheduler()
        self.pool = LanePool(lanes)
        self.writer = world.writer()
        self.jobs: JobRows = world.jobs
        self.is_cut_off = False
        self.runner = self.runner_of(world, self.pool)

    def runner_of(self, world: BatchWorld, pool: LanePool) -> Runner:
        return Runner(
            engine="echo",
            executor=pool,
            settings=world.settings,
            clock=world.clock,
            scheduler=self.scheduler,
            jobs=world.jobs,
            blobs=world.blobs,
            results=world.results,
            writer=self.writer,
            is_cut_off=lambda: self.is_cut_off,
        )

    async def at_work(self) -> dict[str, int]:
        """Return how many lanes the scheduler counts for each job."""
        candidates = await self.scheduler.candidates("echo", self.clock.now())
        return {it.job: it.lanes for it in candidates.jobs}

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as tasks:
            running = tasks.create_task(self.runner.run())
            yield
            self.runner.drain()
            self.runner.stop_requests()
            await asyncio.wait([running])

    async def settle(self) -> None:
        """Let the runner do all that it does of itself."""
        seen = -1
        while seen != len(self.pool.begun):
            seen = len(self.pool.begun)
            for _ in range(20):
                # Leasing reads and writes, opening reads in a thread: they take turns with these.
                await self.jobs.known()
                await end_others(self.jobs, "server-1")
                await asyncio.to_thread(int)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return when the runner has come so far; `running` bounds the time."""
        while not condition():
            await self.jobs.known()

    async def settle_with(self, begun: int) -> None:
        """Let it do so until it has begun so many requests."""
        while len(self.pool.begun) < begun:
            await self.settle()
        await self.settle()
