"""An engine in virtual time, shared by a policy: a day of it passes in a second.

Jobs are amounts of work; a lane does its part of what the whole engine does in a second. A lane
works on one job until its quantum is used up or the job has nothing left, then the policy is
asked again. What the product keeps in its database is kept here in memory, by the same rules.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from support.fake_clock import NOON
from support.simulation.answers_in_time import Answers, Piece, work_of
from toplu.batch.schedule.estimate import Expectations, work_left
from toplu.batch.schedule.fair_shares import FairShares
from toplu.batch.schedule.policy import Candidates, Engine, NextJob, QueuedJob
from toplu.job import WORK_SCALE, Experience, JobId, ProjectId, Share
from toplu.store.rows.experience import ANSWERS_MAX

DAY = timedelta(hours=24)
TOKENS_PER_SECOND = 320.0  # of answers, all lanes together: eight that write 40 each
WORK_PER_SECOND = work_of(TOKENS_PER_SECOND)
EPSILON = 1e-6


@dataclass(kw_only=True)
class Load:
    """One job as it comes; its work is in seconds of the whole engine."""

    name: str
    project: str
    arrives: float  # seconds after the start
    seconds: float
    priority: int = 0
    smallest_seconds: float = 0.0  # of one request, which no lane leaves unfinished
    surprise: float = 0.0  # how far its answers are from those of others, in sigmas
    answers: Answers | None = None  # None: everybody knows how much work is left
    left: float = 0.0  # not yet taken by a lane
    running: float = 0.0  # taken, as of the beginning of each quantum
    lanes: int = 0
    ended: float | None = None

    def __post_init__(self) -> None:
        self.left = self.seconds

    @property
    def target(self) -> float:
        return self.arrives + DAY.total_seconds()

    @property
    def is_late(self) -> bool:
        return self.ended is None or self.ended > self.target + EPSILON

    @property
    def took(self) -> float:
        assert self.ended is not None, f"{self.name} never ended"
        return self.ended - self.arrives


@dataclass(kw_only=True)
class Scene:
    """The facts that a policy may look at when a lane is free."""

    now: float
    lanes: int
    quantum_seconds: float
    loads: list[Load]  # that have come and have not ended
    shares: dict[str, Share]
    weights: dict[str, int]
    experience: dict[ProjectId, Experience]  # with loads that have ended

    def work_left(self) -> dict[str, float]:
        """Return what is known of the work that is left of each load."""
        rows = {
            load.name: load.answers.as_competitor(
                JobId(load.name), ProjectId(load.project), self.now, self.lanes
            )
            for load in self.loads
            if load.answers is not None
        }
        expectations = Expectations(self.experience, rows.values())
        known = {load.name: (load.left + load.running) * WORK_PER_SECOND for load in self.loads}
        return known | {
            load.name: work_left(
                rows[load.name], load.answers.guess or expectations.of(ProjectId(load.project))
            )
            for load in self.loads
            if load.answers is not None
        }

    def note_end(self, load: Load) -> None:
        """Take leave of a load that has ended, by the rules of `store.rows.experience`."""
        self.loads.remove(load)
        if load.answers is not None:
            project = ProjectId(load.project)
            row = load.answers.as_competitor(JobId(load.name), project, self.now, self.lanes)
            both = self.experience.get(project, Experience()) + Experience.of(row.counts, row.usage)
            self.experience[project] = both.remembered(ANSWERS_MAX)

    def waiting(self) -> list[Load]:
        return [load for load in self.loads if load.left > EPSILON]


class Policy(Protocol):
    """Names the load that a free lane works on."""

    def __call__(self, scene: Scene) -> Load | None: ...


def moment(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def ours(scene: Scene) -> Load | None:
    """Ask the policy of the product."""
    shares = FairShares(
        {ProjectId(name): share for name, share in scene.shares.items()},
        {ProjectId(name): weight for name, weight in scene.weights.items()},
    )
    engine = Engine(
        lanes=scene.lanes,
        work_per_second=WORK_PER_SECOND,
        quantum_seconds=scene.quantum_seconds,
    )
    work = scene.work_left()
    jobs = [queued_job(load, work[load.name]) for load in scene.loads]
    chosen = Candidates(jobs=jobs, shares=shares, engine=engine, now=moment(scene.now)).next_job()
    if chosen is None:
        return None
    _begin(scene, chosen)
    return next(load for load in scene.loads if load.name == chosen.job)


def queued_job(load: Load, work: float) -> QueuedJob:
    """Return the load as the policy of the product sees it, with so much work left."""
    return QueuedJob(
        job=JobId(load.name),
        project=ProjectId(load.project),
        priority=load.priority,
        created=moment(load.arrives),
        target=moment(load.target),
        expires=moment(load.arrives) + 2 * DAY,
        work=work,
        lanes=load.lanes,
        waits=load.left > EPSILON,
    )


def _begin(scene: Scene, chosen: NextJob) -> None:
    scene.shares[chosen.project] = Share(
        weight=chosen.weight, served=chosen.served, started=chosen.started
    )


@dataclass
class Gap:
    """The distance that the counters of projects moved apart while both waited."""

    widest: float = 0.0
    _since: dict[tuple[str, str], float] = field(default_factory=dict)

    def look(self, waiting: set[str], served: dict[str, float]) -> None:
        """Take the counters as they stand; `waiting` are the projects with work left."""
        pairs = {(a, b) for a in waiting for b in waiting if a < b}
        self._since = {pair: start for pair, start in self._since.items() if pair in pairs}
        for a, b in pairs:
            apart = served.get(a, 0.0) - served.get(b, 0.0)
            start = self._since.setdefault((a, b), apart)
            self.widest = max(self.widest, abs(apart - start))


@dataclass(kw_only=True)
class VirtualEngine:
    """Runs loads under a policy until they are done or the time is over."""

    policy: Policy
    lanes: int = 8
    quantum_seconds: float = 30.0
    weights: dict[str, int] = field(default_factory=dict)
    gap: Gap = field(default_factory=Gap)
    watched: bool = False  # look at the gap, which takes time

    @property
    def gap_bound(self) -> float:
        """The work that may be on the lanes at once, of each of two projects."""
        on_lanes = self.quantum_seconds * WORK_PER_SECOND  # the engine's, in one quantum
        return 2 * on_lanes * WORK_SCALE

    def run(self, loads: Sequence[Load], until: float = float("inf")) -> list[Load]:
        """Return the loads with their ends; one that did not end by `until` has none."""
        coming = sorted(loads, key=lambda load: (load.arrives, load.name), reverse=True)
        scene = Scene(
            now=0.0,
            lanes=self.lanes,
            quantum_seconds=self.quantum_seconds,
            loads=[],
            shares={},
            weights=self.weights,
            experience={},
        )
        served: dict[str, float] = {}
        busy: list[tuple[float, int, Load, Piece]] = []  # ends, sequence, load, its part
        sequence = 0
        while coming or busy:
            ends = busy[0][0] if busy else float("inf")
            arrives = coming[-1].arrives if coming else float("inf")
            scene.now = min(ends, arrives)
            if scene.now > until:
                break
            while coming and coming[-1].arrives <= scene.now:
                scene.loads.append(coming.pop())
            while busy and busy[0][0] <= scene.now:
                _, _, load, piece = heapq.heappop(busy)
                self._release(scene, load, piece, served)
            while len(busy) < self.lanes and (taken := self.policy(scene)) is not None:
                piece = self._take(taken, scene.now)
                sequence += 1
                ends = scene.now + piece.seconds * self.lanes
                heapq.heappush(busy, (ends, sequence, taken, piece))
            if self.watched:
                self.gap.look({load.project for load in scene.waiting()}, served)
        return list(loads)

    def _take(self, load: Load, now: float) -> Piece:
        """Give a lane a part of the load."""
        seconds = max(self.quantum_seconds / self.lanes, load.smallest_seconds)
        seconds = min(load.left, seconds)
        load.left -= seconds
        load.running += seconds
        load.lanes += 1
        return Piece(0.0, seconds, now) if load.answers is None else load.answers.take(seconds, now)

    def _release(self, scene: Scene, load: Load, piece: Piece, served: dict[str, float]) -> None:
        if load.answers is not None:
            load.answers.end(piece)
        seconds = piece.seconds
        load.running -= seconds
        load.lanes -= 1
        weight = self.weights.get(load.project, 1)
        charge = seconds * WORK_PER_SECOND * WORK_SCALE / weight
        served[load.project] = served.get(load.project, 0.0) + charge
        share = scene.shares.get(load.project, Share(weight=weight))
        scene.shares[load.project] = Share(
            weight=weight, served=share.served + round(charge), started=share.started
        )
        if load.left <= EPSILON and load.lanes == 0:
            load.ended = scene.now
            scene.note_end(load)
