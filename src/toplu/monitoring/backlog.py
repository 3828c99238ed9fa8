"""Reads what waits, for how long yet, and how many replicas are wanted for it; from rows."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from prometheus_client.metrics_core import Metric

from toplu.batch.schedule.due_work import slack
from toplu.clock import Clock
from toplu.metrics import readings
from toplu.metrics.bounded_names import OTHER
from toplu.metrics.measured import PROJECTS_MAX
from toplu.placement.demand import Demands
from toplu.placement.policy import Demand, Policy
from toplu.settings.model import ModelSettings
from toplu.store.rows.backlog import BacklogRows, Cohort
from toplu.workers.roster import Roster


class BacklogFigures:
    """The figures of all unfinished jobs, and of who is there to do them."""

    def __init__(
        self,
        *,
        models: Sequence[ModelSettings],
        clock: Clock,
        rows: BacklogRows,
        demands: Demands,
        roster: Roster,
    ) -> None:
        self._clock = clock
        self._rows = rows
        self._demands = demands
        self._policy = Policy(models)
        self._roster = roster

    async def read(self) -> Sequence[Metric]:
        """Return them, as they are now."""
        now = self._clock.now()
        cohorts = await self._demands.cohorts(now)
        return [
            *self._of_jobs(cohorts, now),
            readings.QUEUE_TOKENS.of(await self._tokens()),
            readings.WORKERS.of([((), len((await self._roster.present()).workers))]),
            *self._of_models(await self._demands.of(cohorts), now),
        ]

    def _of_jobs(self, cohorts: Iterable[Cohort], now: datetime) -> Iterator[Metric]:
        jobs: defaultdict[tuple[str, str], int] = defaultdict(int)
        late: defaultdict[str, int] = defaultdict(int)
        first: dict[str, float] = {}
        for it in cohorts:
            jobs[it.engine, it.state] += it.jobs
            late[it.engine] += it.late
            seconds = (self._demands.target_of(it) - now).total_seconds()
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

    def _of_models(self, demands: Mapping[str, Demand], now: datetime) -> Iterator[Metric]:
        wanted = self._policy.wanted(demands, now)
        yield readings.REPLICAS.of(((model,), it.ready) for model, it in demands.items())
        yield readings.REPLICAS_WANTED.of(((model,), number) for model, number in wanted.items())
        yield readings.SLACK.of(
            ((model,), slack(it.due, now, it.of_one * it.there))
            for model, it in demands.items()
            if it.due and it.of_one and it.there
        )
