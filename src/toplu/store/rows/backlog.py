"""Sums over all that is unfinished or kept, for monitors: one statement each, few rows."""

import functools
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Float,
    Select,
    bindparam,
    case,
    cast,
    func,
    or_,
    select,
)

from toplu.job import Experience, RequestCounts
from toplu.money import TOKENS, Usage
from toplu.store.rows.columns import Moment
from toplu.store.rows.database import Database
from toplu.store.rows.experience import experience_of
from toplu.store.rows.job_mapping import counts_of, usage_of
from toplu.store.rows.job_room import is_unfinished
from toplu.store.rows.schema import files, jobs, shares

COUNTS = ("total", "succeeded", "failed", "deduplicated", "carried")
SPAN_MICROSECONDS = 15 * 60 * 1_000_000  # jobs that were created within it are summed


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """The unfinished jobs of an engine that are in one state, paused or not, and of one age."""

    engine: str
    state: str
    paused: bool  # nothing of these jobs is begun until somebody resumes them
    jobs: int
    late: int  # of these, those whose target has passed
    counts: RequestCounts
    usage: Usage
    tokens_estimate: int  # of the prompts of these requests
    tokens_unplanned: int  # of jobs whose requests nobody has counted yet
    created_first: datetime
    expires_first: datetime


class BacklogRows:
    """Reads the sums."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def cohorts(self, *, late_if_created: datetime, now: datetime) -> list[Cohort]:
        """Return all unfinished jobs; late is what was created by then, or has expired by now."""
        bounds = {"late_if_created": late_if_created, "now": now}
        return await self._database.read(
            lambda c: [
                Cohort(
                    engine=row.engine,
                    state=row.state,
                    paused=row.paused,
                    jobs=row.jobs,
                    late=row.late,
                    counts=counts_of(row),
                    usage=usage_of(row),
                    tokens_estimate=row.tokens_estimate,
                    tokens_unplanned=row.tokens_unplanned,
                    created_first=row.created_first,
                    expires_first=row.expires_first,
                )
                for row in c.execute(_cohorts(), bounds)
            ]
        )

    async def tokens_by_project(self, projects_max: int) -> list[tuple[str, float]]:
        """Return the prompt tokens that wait, an estimate, of so many projects: the most first."""
        query = _tokens_by_project().limit(projects_max)
        return await self._database.read(lambda c: [(it[0], it[1]) for it in c.execute(query)])

    async def tokens(self) -> float:
        """Return the prompt tokens that wait, of all projects."""
        query = select(func.coalesce(func.sum(_tokens_left()), 0)).where(is_unfinished())
        return await self._database.read(lambda c: c.scalar(query) or 0)

    async def experience(self) -> dict[str, Experience]:
        """Return by engine what the last answers of all projects were like."""
        names = ("answers", "prompt_tokens", "cached_tokens", "output_tokens")
        query = select(
            shares.c.engine, *(func.sum(shares.c[name]).label(name) for name in names)
        ).group_by(shares.c.engine)
        return await self._database.read(
            lambda c: {row.engine: experience_of(row) for row in c.execute(query)}
        )

    async def file_bytes(self) -> int:
        """Return the bytes of all files that clients can see."""
        query = select(func.coalesce(func.sum(files.c.size_bytes), 0)).where(
            files.c.deleted.is_(False)
        )
        return await self._database.read(lambda c: c.scalar(query) or 0)


@functools.cache
def _cohorts() -> Select[Any]:
    is_late = or_(
        jobs.c.created <= bindparam("late_if_created", type_=Moment),
        jobs.c.expires <= bindparam("now", type_=Moment),
    )
    is_counted = jobs.c.total > 0
    alike = (jobs.c.engine, jobs.c.state, jobs.c.paused)
    sums = {name: func.sum(jobs.c[name]) for name in (*COUNTS, *TOKENS)} | {
        "jobs": func.count(),
        "late": func.sum(case((is_late, 1), else_=0)),
        "tokens_estimate": func.sum(case((is_counted, jobs.c.tokens_estimate), else_=0)),
        "tokens_unplanned": func.sum(case((is_counted, 0), else_=jobs.c.tokens_estimate)),
        "created_first": func.min(jobs.c.created),
        "expires_first": func.min(jobs.c.expires),
    }
    return (
        select(*alike, *(it.label(name) for name, it in sums.items()))
        .where(is_unfinished())
        .group_by(*alike, cast(jobs.c.created, BigInteger) // SPAN_MICROSECONDS)
    )


@functools.cache
def _tokens_by_project() -> Select[Any]:
    tokens = func.sum(_tokens_left()).label("tokens")
    return (
        select(jobs.c.project, tokens)
        .where(is_unfinished())
        .group_by(jobs.c.project)
        .order_by(tokens.desc(), jobs.c.project)
    )


def _tokens_left() -> ColumnElement[float]:
    """Return the part of a job's tokens that is of requests without an outcome."""
    pending = jobs.c.total - jobs.c.succeeded - jobs.c.failed
    # Of a job that is not planned yet nothing is done, and nobody knows how many requests it has.
    rest = case((jobs.c.total > 0, cast(pending, Float) / jobs.c.total), else_=1.0)
    return jobs.c.tokens_estimate * rest
