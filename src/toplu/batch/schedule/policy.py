"""Chooses the job whose request a free lane takes next.

    urgent ──▶ the earliest deadline       else ──▶ the project that had least ──▶ its first job

A lane asks when it is free and whenever its quantum is used up, and goes on with what it has if
the answer is the same. Pure: what is known is passed in, and the same question has one answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from toplu.batch.schedule.deadlines import Due, Outlook, look_ahead
from toplu.batch.schedule.fair_shares import FairShares
from toplu.job import JobId, ProjectId
from toplu.projects.terms import NO_TERMS, Terms

WORK_BEFORE_MEASURED = 10_000.0  # of a quantum: a thousand prompt tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedJob:
    """An unfinished job of the engine, as the policy sees it."""

    job: JobId
    project: ProjectId
    priority: int = 0
    created: datetime
    target: datetime  # when it ought to be done
    expires: datetime  # when it must be
    work: float  # that is left, an estimate; see `money.Usage.work`
    lanes: int = 0  # that work on it
    waits: bool = True  # has requests that no lane has
    terms: Terms = NO_TERMS  # of its project: when it runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """The capacity that jobs share."""

    lanes: int
    work_per_second: float | None  # of all lanes together; None: not measured yet
    quantum_seconds: float

    @property
    def quantum(self) -> float:
        """The work that one lane does before the policy is asked again."""
        if self.work_per_second is None:
            return WORK_BEFORE_MEASURED
        return self.work_per_second * self.quantum_seconds / self.lanes

    def seconds(self, work: float) -> float:
        """Return how long all lanes together take; no time at all before it was measured."""
        return work / self.work_per_second if self.work_per_second else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NextJob:
    """The job whose turn it is, and the counter of its project from then on; see `job.Share`."""

    job: JobId
    project: ProjectId
    weight: int
    served: int
    started: int


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """All that is known when a lane asks."""

    jobs: Sequence[QueuedJob]
    shares: FairShares
    engine: Engine
    now: datetime

    def next_job(self) -> NextJob | None:
        """Return whose turn it is, or None if no job waits."""
        waiting = [it for it in self.jobs if it.waits]
        if not waiting:
            return None
        chosen = self._by_deadline(waiting, self.outlook) or self._by_share(waiting)
        return NextJob(
            job=chosen.job,
            project=chosen.project,
            weight=self.shares.weight(chosen.project),
            served=self.shares.served(chosen.project),
            started=self.shares.floor(it.project for it in waiting),
        )

    def pressing(self) -> JobId | None:
        """Return the job that all lanes are to work for, if those that hold the rest are too few.

        Its deadline presses and is the first of all, and no lane can have more of it but by help.
        """
        outlook = self.outlook
        urgent = [it for it in self.jobs if it.job in outlook.urgent]
        if not urgent or not outlook.presses:
            return None
        first = min(urgent, key=self._due_first)
        return None if first.waits else first.job

    def without_lane(self, job: JobId) -> "Candidates":
        """Return the candidates when one of the job's lanes is free and its work waits."""
        return replace(
            self,
            jobs=[
                replace(it, lanes=max(it.lanes - 1, 0), waits=True) if it.job == job else it
                for it in self.jobs
            ],
        )

    @cached_property
    def outlook(self) -> Outlook:
        """The demands of the deadlines of all jobs."""
        return look_ahead((self._due(it) for it in self.jobs), self.now)

    def _due(self, it: QueuedJob) -> Due:
        # A job that is late is still to be done before it expires.
        begins, ends = (it.target, it.expires) if self._is_late(it) else (it.created, it.target)
        return Due(
            job=it.job,
            # As if it ran all the time, it has as long as its hours leave it.
            deadline=self.now + it.terms.time_for(self.now, ends),
            seconds=self.engine.seconds(it.work),
            window_seconds=(ends - begins).total_seconds(),
        )

    def _is_late(self, it: QueuedJob) -> bool:
        return it.target <= self.now

    def _by_deadline(self, waiting: Sequence[QueuedJob], outlook: Outlook) -> QueuedJob | None:
        """Return the urgent job that is due first, or one that may go beside and is next."""
        urgent = [it for it in waiting if it.job in outlook.urgent]
        if not urgent:
            return None
        beside = self._beside(waiting, outlook)
        if beside:
            next_in_turn = self._by_share([*urgent, *beside])
            if next_in_turn in beside:
                return next_in_turn
        return min(urgent, key=self._due_first)

    def _due_first(self, it: QueuedJob) -> tuple[datetime, int, datetime, JobId]:
        return self._due(it).deadline, -it.priority, it.created, it.job

    def _beside(self, waiting: Sequence[QueuedJob], outlook: Outlook) -> list[QueuedJob]:
        """Return jobs that may be served although others are urgent.

        These are the ones that are short enough, and one of each project that would be left
        without a lane; such have half of the lanes at most. While a deadline presses only a
        project whose own job is late is not left without.
        """
        first = outlook.urgent | outlook.short
        rushed = {it.project for it in self.jobs if it.job in first}
        served = {it.project for it in self.jobs if it.lanes}
        lanes = sum(it.lanes for it in self.jobs if it.project not in rushed)
        has_room = lanes < self.engine.lanes // 2
        return [
            it
            for it in waiting
            if it.job in outlook.short
            or (
                has_room
                and it.project not in rushed | served
                and (not outlook.presses or self._is_late(it))
            )
        ]

    def _by_share(self, eligible: Sequence[QueuedJob]) -> QueuedJob:
        """Return the first job of the project that had least, counting what is on the lanes."""
        lanes: dict[ProjectId, int] = {}
        for it in self.jobs:
            lanes[it.project] = lanes.get(it.project, 0) + it.lanes

        def had(project: ProjectId) -> float:
            on_lanes = lanes[project] * self.engine.quantum
            return self.shares.served(project) + self.shares.virtual(project, on_lanes)

        # A late job goes before the others of its project, whatever their priority: none starves.
        return min(
            eligible,
            key=lambda it: (
                had(it.project),
                it.project,
                not self._is_late(it),
                -it.priority,
                it.target,
                it.created,
                it.job,
            ),
        )
