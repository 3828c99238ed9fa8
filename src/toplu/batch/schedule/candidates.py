"""Builds the policy's view of an engine from the rows of its jobs and from what its lanes do."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from toplu.batch.schedule.estimate import NOTHING_KNOWN, Expectations, Foreseen, work_left
from toplu.batch.schedule.fair_shares import FairShares
from toplu.batch.schedule.policy import Candidates, Engine, QueuedJob
from toplu.job import Job, JobId, ProjectId
from toplu.projects.terms import NO_TERMS, Terms
from toplu.projects.terms_book import TermsBook
from toplu.replica import Capacity
from toplu.store.rows.shares import Competition, Competitor

WeightOf = Callable[[ProjectId], Awaitable[int]]
NOBODYS: Mapping[ProjectId, Terms] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLoad:
    """A plain value of what an engine does, wherever it runs."""

    engine: Engine
    # Lanes by the job that they work for, of the worker that knows its own by itself.
    busy: Mapping[JobId, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        capacities: Iterable[Capacity],
        *,
        quantum: timedelta,
        busy: Mapping[JobId, int] | None = None,
    ) -> "EngineLoad":
        """Return the load of all replicas of the engine."""
        together = Capacity.of(capacities)
        engine = Engine(
            lanes=together.lanes,
            work_per_second=together.work_per_second,
            quantum_seconds=quantum.total_seconds(),
        )
        return cls(engine=engine, busy=busy or {})


async def all_alike(_: ProjectId) -> int:
    """Give every project the same weight."""
    return 1


async def candidates_of(
    competition: Competition,
    load: EngineLoad,
    *,
    weight_of: WeightOf,
    target: timedelta,
    now: datetime,
    terms: Mapping[ProjectId, Terms] = NOBODYS,
) -> Candidates:
    """Return all that the policy asks about. `target` is the time that a job ought to take."""
    projects = {competitor.project for competitor in competition.competitors}
    weights = {project: await weight_of(project) for project in projects}
    expectations = Expectations(competition.experience, competition.competitors)
    expected = {project: expectations.of(project) for project in projects}
    return Candidates(
        jobs=[
            queued_job(
                competitor,
                target=target,
                waits=competitor.waits,
                expected=expected[competitor.project],
                terms=terms.get(competitor.project, NO_TERMS),
                lanes=load.busy.get(competitor.id, 0) + competition.lanes.get(competitor.id, 0),
            )
            for competitor in competition.competitors
        ],
        shares=FairShares(competition.shares, weights),
        engine=load.engine,
        now=now,
    )


async def terms_of(competition: Competition, book: TermsBook | None) -> dict[ProjectId, Terms]:
    """Return the terms of the projects that compete; without a book none has any."""
    if book is None:
        return {}
    projects = {competitor.project for competitor in competition.competitors}
    return {project: await book.of(project) for project in projects}


def on_terms(
    competition: Competition, terms: Mapping[ProjectId, Terms], now: datetime
) -> Competition:
    """Return the competition without the jobs that their projects' terms keep from going on."""
    return replace(
        competition,
        competitors=[
            it
            for it in competition.competitors
            if terms.get(it.project, NO_TERMS).hold(it.batch, now) is None
        ],
    )


def queued_job(
    job: Competitor | Job,
    *,
    target: timedelta,
    waits: bool,
    lanes: int = 0,
    expected: Foreseen = NOTHING_KNOWN,
    terms: Terms = NO_TERMS,
) -> QueuedJob:
    """Return the job as the policy sees it; so many lanes work for it.

    `expected` is what its requests are taken for before one is finished.
    """
    return QueuedJob(
        job=job.id,
        project=job.project,
        priority=job.priority,
        created=job.created,
        target=min(job.created + target, job.expires),
        expires=job.expires,
        work=work_left(job, expected),
        lanes=lanes,
        waits=waits,
        terms=terms,
    )
