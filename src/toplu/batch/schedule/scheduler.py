"""Hop 4: which shard a lane of an engine works on next.

Which job is policy, see `batch.schedule.policy`. Which shard of it follows from the order of the
requests, see `store.rows.leases`: the one behind the lane's last, or one far from all others. What
projects had is kept in the database, with the leases and the counts of results: it survives a
restart. Which of this worker's lanes works for which job is known in memory, of others in rows.
"""

import asyncio
import math
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from toplu.batch.schedule.candidates import (
    EngineLoad,
    WeightOf,
    all_alike,
    candidates_of,
    on_terms,
    terms_of,
)
from toplu.batch.schedule.policy import Candidates
from toplu.batch.schedule.throughput import Throughputs
from toplu.clock import Clock
from toplu.job import Job, JobId, Lease, Share
from toplu.projects.terms_book import TermsBook
from toplu.replica import Capacity
from toplu.settings.server import Settings
from toplu.store.rows.jobs import JobRows
from toplu.workers.lanes_at_work import LanesAtWork
from toplu.workers.roster import Roster

log = structlog.get_logger()

# Another worker may take what was chosen before it is leased.
CHOICES_MAX = 8


@dataclass(slots=True)
class _Looks:
    """The looks of one engine's lanes for work, which are numbered from 1."""

    # One lane after another: the next is to see what the one before has taken.
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    begun: int = 0
    vain: int = 0  # the last one that found nothing


class Scheduler:
    """Hands out leases in this worker's name and keeps them alive."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        jobs: JobRows,
        owner: str,
        speeds: Throughputs | None = None,
        weight_of: WeightOf = all_alike,
        terms: TermsBook | None = None,  # None: no project has any
        at_work: LanesAtWork | None = None,
        roster: Roster | None = None,  # None: there are no other workers
    ) -> None:
        self._clock = clock
        self._jobs = jobs
        self._owner = owner
        self._life = timedelta(seconds=settings.lease_seconds)
        self._target = timedelta(seconds=settings.job_target_seconds)
        # How long a lane works before it asks whether it keeps its turn.
        self.quantum = timedelta(seconds=settings.quantum_seconds)
        self._lanes = {model.name: model.caches for model in settings.models}
        self._speeds = speeds or Throughputs()
        self._weight_of = weight_of
        self._terms = terms
        self._at_work = at_work or LanesAtWork(owner)
        self._roster = roster
        self._pending: dict[str, float] = {}  # requests of each engine's jobs
        self._presses: dict[str, bool] = {}  # whether a deadline did when a lane last asked
        self._looks: defaultdict[str, _Looks] = defaultdict(_Looks)  # by engine

    @property
    def renewal(self) -> timedelta:
        """The time between renewals of leases: two may fail before one lapses."""
        return self._life / 3

    async def lease_shard(self, engine: str, lane: int, after: Lease | None = None) -> Lease | None:
        """Return the next shard for a lane of the engine, or None when nothing waits for it.

        `after` is the lease that the lane worked under last.
        """
        looks = self._looks[engine]
        looked_before = looks.begun
        async with looks.turn:
            # What began after this lane asked has seen all that it would see.
            lease = None
            if looks.vain <= looked_before:
                looks.begun += 1
                lease = await self._lease_chosen(engine, lane, after)
                if lease is None:
                    looks.vain = looks.begun
        now = self._clock.now()
        if lease is None:
            self._speeds.of(engine).end(now)
            return None
        self._speeds.of(engine).begin(now)
        log.info(
            "shard_leased",
            job=lease.job.id,
            shard=lease.shard.number,
            epoch=lease.shard.epoch,
            lane=lane,
        )
        return lease

    def note_work(self, engine: str, lane: int, job: JobId | None) -> None:
        """Take note of which job the lane works for; None: nothing runs on it."""
        self._at_work.note(engine, lane, job)

    async def keeps_turn(self, lease: Lease) -> bool:
        """Return whether a lane that has used up its quantum keeps the job of its lease."""
        engine = lease.job.engine
        candidates = await self.candidates(engine, self._clock.now())
        if all(it.job != lease.job.id for it in candidates.jobs):
            return False  # it is paused, or held by its project's terms
        chosen = candidates.without_lane(lease.job.id).next_job()
        return chosen is None or chosen.job == lease.job.id

    def is_held(self, job: Job) -> bool:
        """Return whether its project's terms keep the job from going on, as far as is known."""
        if self._terms is None:
            return False
        return self._terms.known(job.project).hold(job.batch, self._clock.now()) is not None

    async def pressing(self, engine: str, lane: int) -> JobId | None:
        """Return the job that the lane is to help others with, if a deadline presses so much."""
        if not self._presses.get(engine):
            return None
        return (await self.candidates(engine, self._clock.now(), free=lane)).pressing()

    def pending(self, engine: str) -> float:
        """Return how many requests had no outcome when last looked; infinite while none knows."""
        return self._pending.get(engine, math.inf)

    async def renew(self, leases: list[Lease]) -> list[Lease]:
        """Prolong the leases; return those that are still ours."""
        return await self._jobs.renew(leases, expires=self._clock.now() + self._life)

    async def give_back(self, lease: Lease) -> None:
        """Let another worker have the shard at once."""
        await self._jobs.give_back(lease)

    async def _lease_chosen(self, engine: str, lane: int, after: Lease | None) -> Lease | None:
        for _ in range(CHOICES_MAX):
            now = self._clock.now()
            # The lane asks because it is free: the answers that it still awaits are no work for it.
            candidates = await self.candidates(engine, now, free=lane)
            self._presses[engine] = candidates.outlook.presses
            chosen = candidates.next_job()
            if chosen is None:
                return None
            before = self._at_work.note(engine, lane, chosen.job)
            lease = None
            try:
                lease = await self._jobs.lease_shard(
                    engine=engine,
                    owner=self._owner,
                    now=now,
                    expires=now + self._life,
                    job=chosen.job,
                    after=None if after is None else after.shard,
                    share=Share(weight=chosen.weight, served=chosen.served, started=chosen.started),
                    at_work=self._at_work.take_changes(),
                )
            finally:
                if lease is None:
                    self._at_work.note(engine, lane, before)
            if lease is not None:
                return lease
        return None

    async def candidates(self, engine: str, now: datetime, free: int | None = None) -> Candidates:
        """Return all that is known of the engine and the jobs that compete for it.

        `free` is a lane that is not counted for the job that it worked for.
        """
        competition = await self._jobs.competition(engine, now, besides=self._owner)
        terms = await terms_of(competition, self._terms)
        competition = on_terms(competition, terms, now)
        self._pending[engine] = sum(
            it.counts.pending if it.planned else math.inf for it in competition.competitors
        )
        return await candidates_of(
            competition,
            await self._load_of(engine, free),
            weight_of=self._weight_of,
            terms=terms,
            target=self._target,
            now=now,
        )

    async def _load_of(self, engine: str, free: int | None = None) -> EngineLoad:
        """Return what the engine's lanes here do, without the lane `free`."""
        others: list[Capacity] = []
        if self._roster is not None:
            others = (await self._roster.present()).capacities(engine, besides=self._owner)
        own = Capacity(
            lanes=self._lanes.get(engine, 1),
            work_per_second=self._speeds.of(engine).work_per_second,
        )
        busy = self._at_work.of(engine, free)
        return EngineLoad.of([own, *others], quantum=self.quantum, busy=busy)
