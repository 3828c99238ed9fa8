"""Reads why an unfinished job waits: from the rows of the jobs, and of those that work on them.

All jobs of an engine are read at once, and that is good for a second: a poll costs no query of its
own.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from toplu.batch.schedule.candidates import (
    EngineLoad,
    WeightOf,
    all_alike,
    candidates_of,
    on_terms,
    queued_job,
    terms_of,
)
from toplu.batch.schedule.policy import QueuedJob
from toplu.batch.schedule.wait_status import Conditions, Queue, WaitStatus, wait_status
from toplu.clock import Clock
from toplu.job import Job
from toplu.money import WORK_OF_PROMPT_TOKEN
from toplu.projects.terms import NO_TERMS, Terms
from toplu.projects.terms_book import TermsBook
from toplu.replica import Capacity, EngineState
from toplu.settings.server import Settings
from toplu.store.rows.jobs import JobRows
from toplu.workers.roster import Present, Roster
from toplu.workers.storage_faults import StorageFaults

GOOD_FOR = timedelta(seconds=1)


class WaitReasons:
    """Returns the wait status of unfinished jobs."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        jobs: JobRows,
        roster: Roster,
        weight_of: WeightOf = all_alike,
        terms: TermsBook | None = None,  # None: no project has any
        faults: StorageFaults | None = None,
        is_draining: Callable[[], bool] = lambda: False,
    ) -> None:
        self._target = timedelta(seconds=settings.job_target_seconds)
        self._clock = clock
        self._jobs = jobs
        self._roster = roster
        self._quantum = timedelta(seconds=settings.quantum_seconds)
        self._lanes = {model.name: model.caches for model in settings.models}
        self._elastic = {model.name for model in settings.models if model.is_elastic}
        self._weight_of = weight_of
        self._terms = terms
        self._faults = faults or StorageFaults()
        self._is_draining = is_draining
        self._queues: dict[str, Queue] = {}  # as last read
        self._reading: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def of(self, job: Job) -> WaitStatus | None:
        """Return the status of the job, or None if it is final."""
        if job.is_final:
            return None
        queue = await self.queue(job.engine)
        if queue.find(job.id) is None:
            queue = queue.with_job(self._newcomer(job))
        present = await self._roster.present()
        conditions = Conditions(
            state=self._state(present, job.engine),
            fault=self._faults.of(job.id) or present.fault_of(job.id),
            is_draining=self._is_draining(),
            terms=await self._terms_of(job, queue),
        )
        return wait_status(job, queue, conditions)

    async def queue(self, engine: str) -> Queue:
        """Return the unfinished jobs of the engine, as they were within the last second."""
        async with self._reading[engine]:
            now = self._clock.now()
            known = self._queues.get(engine)
            # The clock may have been put back.
            if known is not None and known.candidates.now <= now < known.candidates.now + GOOD_FOR:
                return known
            self._queues[engine] = await self._read(engine, now)
            return self._queues[engine]

    async def _terms_of(self, job: Job, queue: Queue) -> Terms:
        if job.project in queue.terms or self._terms is None:
            return queue.terms.get(job.project, NO_TERMS)
        return await self._terms.of(job.project)

    async def _read(self, engine: str, now: datetime) -> Queue:
        competition = await self._jobs.competition(engine, now)
        terms = await terms_of(competition, self._terms)
        candidates = await candidates_of(
            on_terms(competition, terms, now),
            await self._load_of(engine),
            weight_of=self._weight_of,
            terms=terms,
            target=self._target,
            now=now,
        )
        return Queue.of(candidates, terms)

    async def _load_of(self, engine: str) -> EngineLoad:
        capacities = (await self._roster.present()).capacities(engine)
        # As long as nobody has the engine, it is as large as one will have it.
        expected = Capacity(lanes=self._lanes.get(engine, 1), work_per_second=None)
        return EngineLoad.of(capacities or [expected], quantum=self._quantum)

    def _state(self, present: Present, engine: str) -> EngineState | None:
        """Return where the engine stands; None: it is not in the catalogue any more."""
        expected = EngineState.DOWN if engine in self._lanes else None
        if engine in self._elastic:
            expected = EngineState.STARTING  # the batch has one wanted
        return present.states().get(engine, expected)

    def _newcomer(self, job: Job) -> QueuedJob:
        """Return the job as it will compete: it is not planned, or was a moment ago."""
        queued = queued_job(job, target=self._target, waits=True)
        least = float(WORK_OF_PROMPT_TOKEN * job.tokens_estimate)
        return queued if job.counts.total else replace(queued, work=least)
