"""Reads why an unfinished job waits: from the rows of the jobs, and from its engine's load.

All jobs of an engine are read at once, and that is good for a second: a poll costs no query of its
own.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from toplu.batch.schedule.candidates import (
    EngineLoad,
    WeightOf,
    all_alike,
    candidates_of,
    queued_job,
)
from toplu.batch.schedule.policy import QueuedJob
from toplu.batch.schedule.wait_status import Conditions, Queue, WaitStatus, wait_status
from toplu.batch.storage_faults import StorageFaults
from toplu.clock import Clock
from toplu.fleet.processes.supervisor import EngineState
from toplu.job import Job
from toplu.money import WORK_OF_PROMPT_TOKEN
from toplu.settings.server import Settings
from toplu.store.rows.jobs import JobRows

GOOD_FOR = timedelta(seconds=1)


class WaitReasons:
    """Returns the wait status of unfinished jobs."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        jobs: JobRows,
        load_of: Callable[[str], EngineLoad],
        engines: Callable[[], Mapping[str, EngineState]],
        weight_of: WeightOf = all_alike,
        faults: StorageFaults | None = None,
        is_draining: Callable[[], bool] = lambda: False,
    ) -> None:
        self._target = timedelta(seconds=settings.job_target_seconds)
        self._clock = clock
        self._jobs = jobs
        self._load_of = load_of  # of an engine, by its name
        self._engines = engines
        self._weight_of = weight_of
        self._faults = faults or StorageFaults()
        self._is_draining = is_draining
        self._queues: dict[str, Queue] = {}  # as last read
        self._reading: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def of(self, job: Job) -> WaitStatus | None:
        """Return the status of the job, or None if it is final."""
        if job.is_final:
            return None
        queue = await self._queue(job.engine)
        if queue.find(job.id) is None:
            queue = queue.with_job(self._newcomer(job))
        conditions = Conditions(
            state=self._engines().get(job.engine),
            fault=self._faults.of(job.id),
            is_draining=self._is_draining(),
        )
        return wait_status(job, queue, conditions)

    async def _queue(self, engine: str) -> Queue:
        async with self._reading[engine]:
            now = self._clock.now()
            known = self._queues.get(engine)
            # The clock may have been put back.
            if known is not None and known.candidates.now <= now < known.candidates.now + GOOD_FOR:
                return known
            self._queues[engine] = await self._read(engine, now)
            return self._queues[engine]

    async def _read(self, engine: str, now: datetime) -> Queue:
        competition = await self._jobs.competition(engine, now)
        candidates = await candidates_of(
            competition,
            self._load_of(engine),
            weight_of=self._weight_of,
            target=self._target,
            now=now,
        )
        return Queue.of(candidates)

    def _newcomer(self, job: Job) -> QueuedJob:
        """Return the job as it will compete: it is not planned, or was a moment ago."""
        queued = queued_job(job, target=self._target, waits=True)
        least = float(WORK_OF_PROMPT_TOKEN * job.tokens_estimate)
        return queued if job.counts.total else replace(queued, work=least)
