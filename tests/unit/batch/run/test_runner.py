"""A runner keeps what it leased, and lets go of what is no longer wanted, whatever intervenes."""

import asyncio
import contextlib
import errno
import threading
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from support.batch.batch_world import ANSWER, BatchWorld
from support.batch.held_blobs import HeldBlobs
from support.waiting import PATIENCE_SECONDS
from toplu.batch.run.result_writer import ResultWriter
from toplu.batch.run.runner import Runner
from toplu.batch.schedule.scheduler import Scheduler
from toplu.fleet.pool import EngineGivenUp
from toplu.fleet.work import Answered
from toplu.job import JobId, JobState, Lease
from toplu.store.blobs.result_log import ResultLog
from toplu.store.rows.steps import StepKind
from toplu.wire.gemini import jsonl
from toplu.wire.gemini.content import (
    GenerateContentRequest,
)


class HeldPool:
    """Notes every request, and answers none of them before it may."""

    lanes = 1
    window = 2
    share_cache = False
    given_up = False
    fault: OSError | None = None
    faults = 0

    def __init__(self) -> None:
        self.asked = 0
        self.begun = asyncio.Event()
        self.may_answer = asyncio.Event()

    def is_reserved(self, lane: int) -> bool:  # noqa: ARG002  # interactive calls do not come
        return False

    async def answer(self, _request: GenerateContentRequest, **_how: Any) -> Answered:
        self.asked += 1
        self.begun.set()
        await self.may_answer.wait()
        if self.given_up:
            raise EngineGivenUp("The engine does not start.")
        if self.fault is not None:
            self.faults += 1
            raise self.fault
        return ANSWER


class HeldScheduler(Scheduler):
    """Renews, and keeps its caller waiting for the answer."""

    def hold(self) -> None:
        self.renewed = asyncio.Event()
        self.go_on = asyncio.Event()

    async def renew(self, leases: list[Lease]) -> list[Lease]:
        held = await super().renew(leases)
        self.renewed.set()
        await self.go_on.wait()
        return held


class FullDisk(ResultLog):
    def append(self, *_: Any, **__: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


class RunnerWorld:
    """A runner over real stores, with a pool that the test controls."""

    def __init__(self, world: BatchWorld) -> None:
        self.pool = HeldPool()
        self.writer: ResultWriter = world.writer()
        self.scheduler = HeldScheduler(
            settings=world.settings, clock=world.clock, jobs=world.jobs, owner="server-1"
        )
        self.scheduler.hold()
        self.runner = Runner(
            engine="echo",
            executor=self.pool,
            settings=world.settings,
            clock=world.clock,
            scheduler=self.scheduler,
            jobs=world.jobs,
            blobs=world.blobs,
            results=world.results,
            writer=self.writer,
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the runner beside the body, drain it, and wait until it has ended."""
        async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as tasks:
            tasks.create_task(self.runner.run())
            yield
            self.runner.drain()


async def test_a_shard_leased_while_leases_are_renewed_is_kept(
    world: BatchWorld, tmp_path: Path
) -> None:
    await world.planned_job("one", 4)
    world.blobs = blobs = HeldBlobs(tmp_path / "blobs")
    rooms = RunnerWorld(world)
    async with rooms.running():
        async with asyncio.TaskGroup() as renewing:
            renewing.create_task(rooms.runner.renew_leases())
            await rooms.scheduler.renewed.wait()
            blobs.go_on.set()
            await rooms.pool.begun.wait()
            rooms.scheduler.go_on.set()
        rooms.pool.may_answer.set()
    await rooms.writer.flush()
    assert (await world.job("one")).counts.succeeded == rooms.pool.asked == 2


async def test_a_job_cancelled_while_its_shard_is_opened_starts_no_request(
    world: BatchWorld, tmp_path: Path
) -> None:
    await world.planned_job("one", 4)
    world.blobs = blobs = HeldBlobs(tmp_path / "blobs")
    rooms = RunnerWorld(world)
    rooms.pool.may_answer.set()
    async with rooms.running():
        await blobs.begun.wait()
        await world.jobs.move(JobId("one"), JobState.CANCELLED, world.clock.now())
        rooms.runner.drop_job(JobId("one"))
        blobs.go_on.set()
        # The database takes turns: after this the runner has looked for work again.
        for _ in range(20):
            await world.jobs.known()
    assert rooms.pool.asked == 0


async def test_a_read_that_fails_for_want_of_files_fails_no_job(
    world: BatchWorld, tmp_path: Path
) -> None:
    await world.planned_job("one", 1)
    world.blobs = blobs = HeldBlobs(tmp_path / "blobs")
    blobs.faults = 1
    blobs.go_on.set()
    rooms = RunnerWorld(world)
    rooms.pool.may_answer.set()
    async with rooms.running():
        while not rooms.pool.asked:
            await world.jobs.known()
            rooms.runner.wake()
    await rooms.writer.flush()
    job = await world.job("one")
    assert (job.state, job.counts.succeeded) == (JobState.RUNNING, 1)


async def test_a_long_line_holds_up_nobody_else(
    world: BatchWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    # JSON with a fault at its end is what takes the careful readers longest.
    await world.keep_job("one", [b'{"request":{"contents":[' + b"1," * 50_000 + b"NaN]}}"])
    await world.planner().step()
    readers: list[threading.Thread] = []
    for owner, name in ((jsonl.GENERATE_LINES, "read"), (jsonl, "identify")):
        read = getattr(owner, name)

        def note(*given: Any, read: Any = read) -> Any:
            readers.append(threading.current_thread())
            return read(*given)

        monkeypatch.setattr(owner, name, note)
    rooms = RunnerWorld(world)
    async with rooms.running():
        while len(readers) < 2:
            await world.jobs.known()
    await rooms.writer.flush()
    assert threading.current_thread() not in readers
    assert (await world.job("one")).counts.failed == 1


async def test_a_job_that_cannot_be_failed_does_not_end_the_runner(
    world: BatchWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.planned_job("one", 1)
    move = world.jobs.move
    tries: list[JobState] = []

    async def fail_once(job: JobId, target: JobState, *rest: Any, **named: Any) -> Any:
        tries.append(target)
        if len(tries) == 1:
            raise ConnectionError("the database is away")
        return await move(job, target, *rest, **named)

    monkeypatch.setattr(world.jobs, "move", fail_once)
    rooms = RunnerWorld(world)
    rooms.pool.given_up = True
    rooms.pool.may_answer.set()
    async with rooms.running():
        while not tries:
            await world.jobs.known()
        while (await world.job("one")).state is not JobState.FAILED:
            # The lease lapses, and the shard comes round again.
            world.clock.advance(timedelta(minutes=2))
            rooms.runner.wake()
    assert len(tries) > 1


@pytest.fixture
async def full(tmp_path: Path) -> AsyncIterator[BatchWorld]:
    world = await BatchWorld.open(tmp_path, results_buffered_max=1)
    world.results = FullDisk(tmp_path / "results")
    yield world
    await world.close()


async def test_a_drain_ends_though_no_result_can_be_written(full: BatchWorld) -> None:
    await full.planned_job("one", 4)
    rooms = RunnerWorld(full)
    rooms.pool.may_answer.set()
    async with rooms.running():
        while rooms.writer.has_room:
            await full.jobs.known()


async def test_a_disk_that_cannot_be_read_is_no_outcome_of_a_request(world: BatchWorld) -> None:
    await world.planned_job("one", 4)
    rooms = RunnerWorld(world)
    rooms.pool.fault = OSError(errno.EIO, "Input/output error")
    rooms.pool.may_answer.set()
    async with rooms.running():
        while not rooms.pool.faults:
            await world.jobs.known()
        rooms.pool.fault = None
        while await world.due(StepKind.ASSEMBLE) is None:
            # The lease lapses, and the shard comes round again.
            world.clock.advance(timedelta(minutes=2))
            rooms.runner.wake()
            await rooms.writer.step()
    counts = (await world.job("one")).counts
    assert (counts.succeeded, counts.failed) == (4, 0)
