"""Reads what asks for replicas of each model: from rows of jobs and workers, and from calls.

A few statements sum all unfinished jobs; what is made of the sums does not grow with their number.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from toplu.batch.schedule.due_work import DueWork
from toplu.batch.schedule.estimate import GUESS_COUNTS_AS, NOTHING_KNOWN, work_left
from toplu.job import Experience
from toplu.money import WORK_OF_PROMPT_TOKEN
from toplu.placement.calls import RecentCalls
from toplu.placement.policy import Demand
from toplu.replica import Capacity, EngineState, Replica
from toplu.settings.model import ModelSettings
from toplu.settings.server import Settings
from toplu.store.rows.backlog import BacklogRows, Cohort
from toplu.workers.roster import Present, Roster

READY = (EngineState.READY, EngineState.IDLE)


class Demands:
    """The demand of each model, as rows say it at the moment."""

    def __init__(
        self, *, settings: Settings, rows: BacklogRows, roster: Roster, calls: RecentCalls
    ) -> None:
        self._models = settings.models
        self._target = timedelta(seconds=settings.job_target_seconds)
        self._rows = rows
        self._roster = roster
        self._calls = calls
        self._speeds: dict[str, float] = {}  # of one replica, as measured last: they outlive it

    async def cohorts(self, now: datetime) -> list[Cohort]:
        """Return all unfinished jobs."""
        return await self._rows.cohorts(late_if_created=now - self._target, now=now)

    def target_of(self, cohort: Cohort) -> datetime:
        """Return when the first of the jobs ought to be done."""
        return min(cohort.created_first + self._target, cohort.expires_first)

    async def of(self, cohorts: Iterable[Cohort]) -> dict[str, Demand]:
        """Return the demand of each model, with the work of all unfinished jobs."""
        known = await self._rows.experience()
        due: defaultdict[str, list[DueWork]] = defaultdict(list)
        for it in cohorts:
            if not it.paused:
                work = _work_of(it, known.get(it.engine, Experience()))
                due[it.engine].append(DueWork(target=self.target_of(it), work=work))
        present = await self._roster.present()
        return {it.name: self._demand_of(it, due[it.name], present) for it in self._models}

    def _demand_of(self, model: ModelSettings, due: Sequence[DueWork], present: Present) -> Demand:
        replicas = present.replicas(model.name)
        there = sum(_number_of(it, model) for it in replicas)
        speed = Capacity.of(it.capacity for it in replicas).work_per_second
        if speed:
            self._speeds[model.name] = speed / there
        return Demand(
            due=tuple(due),
            of_one=self._speeds.get(model.name),
            is_called=self._calls.include(model.name),
            there=there,
            ready=sum(_number_of(it, model) for it in replicas if it.state in READY),
        )


def _work_of(cohort: Cohort, known: Experience) -> float:
    expected = NOTHING_KNOWN.knowing(known, GUESS_COUNTS_AS)
    return work_left(cohort, expected) + WORK_OF_PROMPT_TOKEN * cohort.tokens_unplanned


def _number_of(replica: Replica, model: ModelSettings) -> int:
    """Return how many replicas of the model a worker has, which are one to others."""
    return max(1, replica.lanes // model.caches)
