"""Hop 3: plans jobs, so that their first requests may run at once and all of them in good order.

    input ── small ──▶ whole order ─────────────────────────────▶ planned
          └─ large ──▶ order of its first requests ──▶ begun ──▶ whole order, in a child ──▶ planned

`Planner` takes what nobody began to plan and never takes long; `Orderer` plans the rest of what
it began. A job that is very small is planned as it is created, and neither sees it. Lines that are
no requests are planned too: they become error results.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import structlog

from toplu.batch import paths
from toplu.batch.failure import fail_job
from toplu.batch.loop import AFTER_A_FAULT, AT_ONCE, Wakeup
from toplu.batch.plan.ordering import Head, PlanRules, head_bytes_max, plan_head
from toplu.batch.plan.ordering_child import OrderingAnswer, OrderingTask, plan_input
from toplu.batch.plan.ordering_process import plan_in_child
from toplu.clock import Clock
from toplu.errors import InvalidArgument, TopluError
from toplu.job import Job, JobId, Shard
from toplu.settings.server import Settings
from toplu.store.blobs.blobs import Blobs
from toplu.store.rows.jobs import JobRows
from toplu.tracing.spans import SPANS
from toplu.workers.steps import StepKind, Steps
from toplu.workers.storage_faults import StorageFaults

log = structlog.get_logger()

IDLE = timedelta(seconds=5)
# Input so short is planned while its client waits: it takes less time than to come back to it.
AT_CREATION_BYTES_MAX = 64 * 1024
# So is the rest of an input that is as short and has lines that wait: no process is started for it.
IN_THREAD_BYTES_MAX = AT_CREATION_BYTES_MAX
ORDER, COPY = "order", "ordered.jsonl"  # while they are being made
GONE = "The input of the batch is gone."


async def plan_at_creation(
    blobs: Blobs, rules: PlanRules, job: JobId, *, size_bytes: int, carried: bytes
) -> list[Shard]:
    """Return the shards of a very small job whose input is kept, once its order is durable.

    None: it is the planner's, which also fails a job whose input is wrong as a whole. `carried` is
    as for `plan_head`.
    """
    if size_bytes > AT_CREATION_BYTES_MAX:
        return []
    try:
        head = await _plan_head(blobs, job, rules, carried)
    except InvalidArgument:
        return []
    if not (head.is_whole and head.shards):
        return []
    await blobs.put(paths.order(job), _one(head.order))
    return _number(job, head.shards)


class Planner:
    """Takes jobs that nobody began to plan, oldest first: plans a small one, begins a large one."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        jobs: JobRows,
        steps: Steps,
        blobs: Blobs,
        planned: Callable[[], None],
        begun: Wakeup,
        faults: StorageFaults | None = None,
    ) -> None:
        self._faults = faults or StorageFaults()
        self._settings = settings
        self._clock = clock
        self._jobs = jobs
        self._steps = steps
        self._blobs = blobs
        self._planned = planned  # called when there are shards to lease
        self._begun = begun  # set when there is a job to go on with

    async def step(self) -> timedelta:
        """Plan one job, or begin to."""
        job = await self._steps.take(StepKind.PLAN)
        if job is None:
            return IDLE
        try:
            await self._plan(job)
            self._faults.clear(job.id)
        except TopluError as error:
            await fail_job(self._jobs, self._clock, job.id, error)
        except FileNotFoundError:
            # The job was deleted while its input was being read, or the folder was tampered with.
            await fail_job(self._jobs, self._clock, job.id, InvalidArgument(GONE))
        except OSError as fault:
            # The others wait as well: what this one needs of the disk is as little as they need.
            log.warning("planning_failed", job=job.id, reason=fault.strerror)
            self._faults.note(job.id, fault)
            await self._steps.give_back(StepKind.PLAN, job.id)
            return AFTER_A_FAULT
        return AT_ONCE

    async def _plan(self, job: Job) -> None:
        with SPANS.step("plan", job.id):
            await self._plan_it(job)

    async def _plan_it(self, job: Job) -> None:
        rules = PlanRules.of(self._settings, job)
        head = await _plan_head(self._blobs, job.id, rules, await self._carried(job))
        if not head.shards:
            raise InvalidArgument("The input file has no requests.")
        shards = _number(job.id, head.shards)
        # Planning twice, after a crash in between, writes the same again.
        if head.is_whole:
            await self._blobs.put(paths.order(job.id), _one(head.order))
            total = sum(head.shards) + job.counts.carried
            kept = await self._jobs.plan(job.id, shards, total, self._clock.now())
        else:
            await self._blobs.put(paths.head_order(job.id), _one(head.order))
            kept = await self._jobs.begin_plan(job.id, shards, self._clock.now())
            self._begun.set()
        if kept:
            log.info("job_planned", job=job.id, shards=len(shards), whole=head.is_whole)
            self._planned()

    async def _carried(self, job: Job) -> bytes:
        if not job.counts.carried:
            return b""
        async with self._blobs.local(paths.carried(job.id)) as marks:
            return await asyncio.to_thread(marks.read_bytes)


class Orderer:
    """Takes jobs that the planner has begun, oldest first, and plans the rest of each."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        jobs: JobRows,
        steps: Steps,
        blobs: Blobs,
        planned: Callable[[], None],
        complete: Wakeup,
        drop_job: Callable[[JobId], None],
        faults: StorageFaults | None = None,
    ) -> None:
        self._faults = faults or StorageFaults()
        self._settings = settings
        self._clock = clock
        self._jobs = jobs
        self._steps = steps
        self._blobs = blobs
        self._planned = planned
        self._complete = complete  # set when every request that is planned may have a result
        self._drop_job = drop_job
        self._put_aside: set[JobId] = set()
        self._ordering: tuple[JobId, asyncio.Timeout] | None = None  # ends the ordering of the job

    async def step(self) -> timedelta:
        """Plan the rest of one job."""
        job = await self._steps.take(StepKind.ORDER, self._put_aside)
        if job is None:
            # What was put aside is tried again, after a pause.
            self._put_aside.clear()
            return IDLE
        ending = asyncio.timeout(None)
        try:
            async with ending:
                self._ordering = job.id, ending
                try:
                    with SPANS.step("order", job.id):
                        await self._order(job)
                finally:
                    self._ordering = None
            self._faults.clear(job.id)
        except TopluError as error:
            await self._fail(job, error)
        except Exception as fault:
            if ending.expired():
                log.info("ordering_ended", job=job.id)
                return AT_ONCE
            if await self._blobs.size(paths.input_lines(job.id)) is None:
                await self._fail(job, InvalidArgument(GONE))
            else:
                # The others must not wait for one that has no space to be sorted in, say.
                log.exception("ordering_failed", job=job.id)
                self._faults.note(job.id, fault)
                self._put_aside.add(job.id)
                await self._steps.give_back(StepKind.ORDER, job.id)
        return AT_ONCE

    def drop_job(self, job: JobId) -> None:
        """End the ordering of the job, if it goes on; the job has become final or is gone."""
        if self._ordering is not None and self._ordering[0] == job:
            self._ordering[1].reschedule(asyncio.get_running_loop().time())

    async def _fail(self, job: Job, error: TopluError) -> None:
        await fail_job(self._jobs, self._clock, job.id, error)
        self._drop_job(job.id)

    async def _order(self, job: Job) -> None:
        head = [it for it in await self._jobs.shards(job.id) if not it.is_carried]
        async with self._blobs.workshop() as folder:
            answer = await self._ask_child(job, head, folder)
            if answer.refusal is not None:
                raise InvalidArgument(answer.refusal)
            if self._blobs.is_remote:
                # The lines first: who finds the order reads them.
                await self._blobs.adopt(folder / COPY, paths.ordered_lines(job.id))
                await self._blobs.adopt(folder / ORDER, paths.copy_order(job.id))
            else:
                await self._blobs.adopt(folder / ORDER, paths.order(job.id))
            for wave, path in enumerate(answer.waves, start=1):
                await self._blobs.adopt(Path(path), paths.waiting(job.id, wave))
        shards = _number(job.id, answer.shards, behind=head)
        total = answer.total + job.counts.carried
        if await self._jobs.plan(job.id, shards, total, self._clock.now()):
            log.info("job_ordered", job=job.id, requests=total, shards=len(shards))
            self._planned()
            if not shards:
                self._complete.set()  # there may be nothing but what waits, or was carried

    async def _ask_child(self, job: Job, head: list[Shard], folder: Path) -> OrderingAnswer:
        """Have the order written into the folder, and the lines in order where reads are calls."""
        async with AsyncExitStack() as held:
            lines = await held.enter_async_context(self._blobs.local(paths.input_lines(job.id)))
            order = await held.enter_async_context(self._blobs.local(paths.head_order(job.id)))
            marks = None
            if job.counts.carried:
                carried = self._blobs.local(paths.carried(job.id))
                marks = str(await held.enter_async_context(carried))
            task = OrderingTask(
                rules=PlanRules.of(self._settings, job),
                input_path=str(lines),
                head_path=str(order),
                head_count=sum(shard.count for shard in head),
                carried_path=marks,
                folder=str(folder),
                order_path=str(folder / ORDER),
                copy_path=str(folder / COPY) if self._blobs.is_remote else None,
            )
            size_bytes = await self._blobs.size(paths.input_lines(job.id))
            if (size_bytes or 0) <= IN_THREAD_BYTES_MAX:
                return await asyncio.to_thread(plan_input, task)
            return await plan_in_child(task)


async def _plan_head(blobs: Blobs, job: JobId, rules: PlanRules, carried: bytes) -> Head:
    """Return what `plan_head` makes of the job's input."""
    name = paths.input_lines(job)
    size_bytes = await blobs.size(name) if blobs.is_remote else None
    async with blobs.local(name, head_bytes_max(rules)) as path:
        return await asyncio.to_thread(plan_head, path, rules, carried, size_bytes)


def _number(job: JobId, sizes: list[int], behind: list[Shard] | None = None) -> list[Shard]:
    """Return shards of these sizes, one behind the other and behind those that are there."""
    shards = list(behind or [])
    first = sum(shard.count for shard in shards)
    for size in sizes:
        shards.append(Shard(job=job, number=len(shards), first=first, count=size))
        first += size
    return shards[len(behind or []) :]


async def _one(content: bytes) -> AsyncIterator[bytes]:
    yield content
