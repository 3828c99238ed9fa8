"""Reads what waits, for how long yet, and how many replicas would be in time; from rows.

A few statements sum all unfinished jobs; what is made of the sums does not grow with their number.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from prometheus_client.metrics_core import Metric

from toplu.batch.schedule.due_work import DueWork, replicas_wanted, slack
from toplu.batch.schedule.estimate import GUESS_COUNTS_AS, NOTHING_KNOWN, work_left
from toplu.clock import Clock
from toplu.job import Experience
from toplu.metrics import readings
from toplu.metrics.bounded_names import OTHER
from toplu.metrics.measured import PROJECTS_MAX
from toplu.money import WORK_OF_PROMPT_TOKEN
from toplu.replica import Capacity, EngineState, Replica
from toplu.settings.server import ModelSettings, Settings
from toplu.store.rows.backlog import BacklogRows, Cohort
from toplu.workers.roster import Roster

THERE = (EngineState.READY, EngineState.IDLE)


class BacklogFigures:
    """The figures of all unfinished jobs, and of who is there to do them."""

    def __init__(
        self, *, settings: Settings, clock: Clock, rows: BacklogRows, roster: Roster
    ) -> None:
        self._models = settings.models
        self._target = timedelta(seconds=settings.job_target_seconds)
        self._clock = clock
        self._rows = rows
        self._roster = roster

    async def read(self) -> Sequence[Metric]:
        """Return them, as they are now."""
        now = self._clock.now()
        cohorts = await self._rows.cohorts(late_if_created=now - self._target, now=now)
        due: defaultdict[str, list[DueWork]] = defaultdict(list)
        known = await self._rows.experience()
        for it in cohorts:
            work = _work_of(it, known.get(it.engine, Experience()))
            due[it.engine].append(DueWork(target=self._target_of(it), work=work))
        return [
            *self._of_jobs(cohorts, now),
            readings.QUEUE_TOKENS.of(await self._tokens()),
            *await self._of_engines(due, now),
        ]

    def _target_of(self, cohort: Cohort) -> datetime:
        return min(cohort.created_first + self._target, cohort.expires_first)

    def _of_jobs(self, cohorts: Iterable[Cohort], now: datetime) -> Iterator[Metric]:
        jobs: defaultdict[tuple[str, str], int] = defaultdict(int)
        late: defaultdict[str, int] = defaultdict(int)
        first: dict[str, float] = {}
        for it in cohorts:
            jobs[it.engine, it.state] += it.jobs
            late[it.engine] += it.late
            seconds = (self._target_of(it) - now).total_seconds()
            first[it.engine] = min(seconds, first.get(it.engine, seconds))
        yield readings.JOBS.of(jobs.items())
        yield readings.JOBS_LATE.of(((model,), count) for model, count in late.items())
        yield readings.TIME_TO_TARGET.of(((model,), seconds) for model, seconds in first.items())

    async def _tokens(self) -> Sequence[tuple[tuple[str], float]]:
        """Return what waits of the projects with the most of it, and of the rest together."""
        found = await self._rows.tokens_by_project(PROJECTS_MAX + 1)
        most = [((project,), round(tokens)) for project, tokens in found[:PROJECTS_MAX]]
        if len(found) > PROJECTS_MAX:
            rest = await self._rows.tokens() - sum(tokens for _, tokens in found[:PROJECTS_MAX])
            most.append(((OTHER,), max(0, round(rest))))
        return most

    async def _of_engines(
        self, due: Mapping[str, Sequence[DueWork]], now: datetime
    ) -> Sequence[Metric]:
        present = await self._roster.present()
        there, spare, wanted = {}, {}, {}
        for model in self._models:
            replicas = present.replicas(model.name)
            there[model.name] = sum(_number_of(it, model) for it in replicas if it.state in THERE)
            work = due.get(model.name)
            speed = Capacity.of(it.capacity for it in replicas).work_per_second
            if work and speed:
                of_one = speed / sum(_number_of(it, model) for it in replicas)
                spare[model.name] = slack(work, now, speed)
                wanted[model.name] = max(1, replicas_wanted(work, now, of_one))
            else:
                # As many as there are, as long as nobody knows how fast one is.
                wanted[model.name] = max(1, there[model.name]) if work else 0
        return [
            readings.WORKERS.of([((), len(present.workers))]),
            readings.REPLICAS.of(((model,), count) for model, count in there.items()),
            readings.REPLICAS_WANTED.of(((model,), count) for model, count in wanted.items()),
            readings.SLACK.of(((model,), seconds) for model, seconds in spare.items()),
        ]


def _work_of(cohort: Cohort, known: Experience) -> float:
    expected = NOTHING_KNOWN.knowing(known, GUESS_COUNTS_AS)
    return work_left(cohort, expected) + WORK_OF_PROMPT_TOKEN * cohort.tokens_unplanned


def _number_of(replica: Replica, model: ModelSettings) -> int:
    """Return how many replicas of the model a worker has, which are one to others."""
    return max(1, replica.lanes // model.caches)
