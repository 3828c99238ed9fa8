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
from toplu.batch.schedule.fair_shares import FairShares
from toplu.batch.schedule.policy import Candidates, Engine, NextJob, QueuedJob
from toplu.job import WORK_SCALE, JobId, ProjectId, Share

DAY = timedelta(hours=24)
WORK_PER_SECOND = 1000.0
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
    doubt: float = 1.0  # the estimate of the work over the work
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
    jobs = [_queued_job(load) for load in scene.loads]
    chosen = Candidates(jobs=jobs, shares=shares, engine=engine, now=moment(scene.now)).next_job()
    if chosen is None:
        return None
    _begin(scene, chosen)
    return next(load for load in scene.loads if load.name == chosen.job)


def _queued_job(load: Load) -> QueuedJob:
    unfinished = load.left + load.running
    done = 1 - unfinished / load.seconds
    # An estimate comes true as the job goes on.
    doubt = load.doubt + (1 - load.doubt) * done
    return QueuedJob(
        job=JobId(load.name),
        project=ProjectId(load.project),
        priority=load.priority,
        created=moment(load.arrives),
        target=moment(load.target),
        expires=moment(load.arrives) + 2 * DAY,
        work=unfinished * doubt * WORK_PER_SECOND,
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
        )
        served: dict[str, float] = {}
        busy: list[tuple[float, int, Load, float]] = []  # ends, sequence, load, seconds of work
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
                _, _, load, seconds = heapq.heappop(busy)
                self._release(scene, load, seconds, served)
            while len(busy) < self.lanes and (taken := self.policy(scene)) is not None:
                seconds = self._take(taken)
                sequence += 1
                ends = scene.now + seconds * self.lanes
                heapq.heappush(busy, (ends, sequence, taken, seconds))
            if self.watched:
                self.gap.look({load.project for load in scene.waiting()}, served)
        return list(loads)

    def _take(self, load: Load) -> float:
        """Give a lane a part of the load; return it in seconds of the whole engine."""
        seconds = max(self.quantum_seconds / self.lanes, load.smallest_seconds)
        seconds = min(load.left, seconds)
        load.left -= seconds
        load.running += seconds
        load.lanes += 1
        return seconds

    def _release(self, scene: Scene, load: Load, seconds: float, served: dict[str, float]) -> None:
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
            scene.loads.remove(load)
