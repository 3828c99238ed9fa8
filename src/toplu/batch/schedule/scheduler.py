"""Hop 4: which shard a lane of an engine works on next.

Which job is policy, see `batch.schedule.policy`. Which shard of it follows from the order of the
requests, see `store.rows.leases`: the one behind the lane's last, or one far from all others. What
projects had is kept in the database, with the leases and the counts of results: it survives a
restart. Which lane works for which job is known here alone, for the lanes are this server's.
"""

import asyncio
import math
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog

from toplu.batch.schedule.estimate import work_left
from toplu.batch.schedule.fair_shares import FairShares
from toplu.batch.schedule.policy import Candidates, Engine, QueuedJob
from toplu.batch.schedule.throughput import Throughputs
from toplu.clock import Clock
from toplu.job import Job, JobId, Lease, ProjectId, Share
from toplu.settings.server import Settings
from toplu.store.rows.jobs import JobRows
from toplu.store.rows.shares import Competitor

log = structlog.get_logger()

# Another server may take what was chosen before it is leased.
CHOICES_MAX = 8

WeightOf = Callable[[ProjectId], Awaitable[int]]


async def all_alike(_: ProjectId) -> int:
    """Give every project the same weight."""
    return 1


class Scheduler:
    """Hands out leases in this server's name and keeps them alive."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        jobs: JobRows,
        owner: str,
        speeds: Throughputs | None = None,
        weight_of: WeightOf = all_alike,
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
        self._at_work: defaultdict[str, dict[int, JobId]] = defaultdict(dict)  # by engine, lane
        self._pending: dict[str, float] = {}  # requests of each engine's jobs
        self._presses: dict[str, bool] = {}  # whether a deadline did when a lane last asked
        # One lane after another: the next is to see what the one before has taken.
        self._asking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @property
    def renewal(self) -> timedelta:
        """How often leases must be renewed: two renewals may fail before one lapses."""
        return self._life / 3

    async def lease_shard(self, engine: str, lane: int, after: Lease | None = None) -> Lease | None:
        """Return the next shard for a lane of the engine, or None when nothing waits for it.

        `after` is the lease that the lane worked under last.
        """
        async with self._asking[engine]:
            lease = await self._lease_chosen(engine, lane, after)
            if lease is not None:
                self.note_work(engine, lane, lease.job.id)
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
        if job is None:
            self._at_work[engine].pop(lane, None)
        else:
            self._at_work[engine][lane] = job

    async def keeps_turn(self, lease: Lease) -> bool:
        """Whether a lane that has used up its quantum is to go on with the job of its lease."""
        engine = lease.job.engine
        round_ = await self.round_of(engine, self._clock.now())
        turn = round_.without_lane(lease.job.id).turn()
        return turn is None or turn.job == lease.job.id

    async def pressing(self, engine: str, lane: int) -> JobId | None:
        """Return the job that the lane is to help others with, if a deadline presses so much."""
        if not self._presses.get(engine):
            return None
        return (await self.round_of(engine, self._clock.now(), free=lane)).pressing()

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
            round_ = await self.round_of(engine, now, free=lane)
            self._presses[engine] = round_.outlook.presses
            turn = round_.turn()
            if turn is None:
                return None
            lease = await self._jobs.lease_shard(
                engine=engine,
                owner=self._owner,
                now=now,
                expires=now + self._life,
                job=turn.job,
                after=None if after is None else after.shard,
                share=Share(weight=turn.weight, served=turn.served, started=turn.started),
            )
            if lease is not None:
                return lease
        return None

    async def round_of(self, engine: str, now: datetime, free: int | None = None) -> Candidates:
        """Return all that is known of the engine and those that compete for it.

        `free` is a lane that is not counted for the job that it worked for.
        """
        competition = await self._jobs.competition(engine, now)
        projects = {competitor.project for competitor in competition.competitors}
        weights = {project: await self._weight_of(project) for project in projects}
        self._pending[engine] = sum(
            it.counts.pending if it.planned else math.inf for it in competition.competitors
        )
        at_work = self._at_work[engine].items()
        lanes = Counter(job for lane, job in at_work if lane != free)
        return Candidates(
            contenders=[
                self.contender_of(competitor, waits=competitor.waits, lanes=lanes[competitor.id])
                for competitor in competition.competitors
            ],
            shares=FairShares(competition.shares, weights),
            engine=Engine(
                lanes=self._lanes.get(engine, 1),
                work_per_second=self._speeds.of(engine).work_per_second,
                quantum_seconds=self.quantum.total_seconds(),
            ),
            now=now,
        )

    def contender_of(
        self, competitor: Competitor | Job, *, waits: bool, lanes: int = 0
    ) -> QueuedJob:
        """Return the job as the policy sees it; so many lanes work for it."""
        return QueuedJob(
            job=competitor.id,
            project=competitor.project,
            priority=competitor.priority,
            created=competitor.created,
            target=min(competitor.created + self._target, competitor.expires),
            expires=competitor.expires,
            work=work_left(competitor),
            lanes=lanes,
            waits=waits,
        )
