"""The projects that compete for an engine, the share that each has had of it, and its experience.

A share is a counter that only grows: with each lease it is raised to where the project begins,
and with each group of results by the work of these, in the transaction that counts them, so that
work is charged once, whichever server did it. The experience is what answers of the project's ended
jobs used (`store.rows.experience`). Each function runs inside a transaction.
"""

import functools
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from toplu.job import WORK_SCALE, Experience, Job, JobId, ProjectId, RequestCounts, Share
from toplu.money import TOKENS, Usage
from toplu.store.rows.at_work import read_lanes
from toplu.store.rows.columns import Moment
from toplu.store.rows.experience import experience_of
from toplu.store.rows.job_mapping import counts_of, usage_of
from toplu.store.rows.job_room import is_unfinished
from toplu.store.rows.schema import jobs, shards, shares

# Jobs of one engine that one look considers: the first of each project, and the oldest of all.
FIRST_MAX = 768
OLDEST_MAX = 256
# What a competitor is made of.
COLUMNS = (
    *("id", "part_of", "project", "priority", "created", "expires", "tokens_estimate", "planned"),
    *("total", "succeeded", "failed", "deduplicated", "carried"),
    *TOKENS,
)


class Competitor(msgspec.Struct, frozen=True, kw_only=True):
    """The part of an unfinished job that counts beside others; every lease reads all of them."""

    id: JobId
    project: ProjectId
    priority: int
    created: datetime
    expires: datetime
    counts: RequestCounts
    usage: Usage
    tokens_estimate: int
    planned: bool
    waits: bool  # has a shard that nobody holds
    part_of: JobId | None = None

    @property
    def batch(self) -> JobId:
        """The id of the batch that it is, or is a part of."""
        return self.part_of or self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Competition:
    """Everything that an engine's next turn is decided by."""

    competitors: list[Competitor]
    shares: dict[ProjectId, Share]
    experience: dict[ProjectId, Experience]  # of jobs that have ended
    lanes: dict[JobId, int]  # at work for each job, in all workers but the one that asks


def read_competition(
    connection: Connection, engine: str, now: datetime, besides: str | None = None
) -> Competition:
    """Return the jobs of the engine that have shards and go on, a bounded number; the shares."""
    bounds = {"first_max": FIRST_MAX, "oldest_max": OLDEST_MAX}
    rows = connection.execute(_competitors(), {"engine": engine, "now": now, **bounds})
    competitors = [
        Competitor(
            id=row.id,
            project=row.project,
            priority=row.priority,
            created=row.created,
            expires=row.expires,
            counts=counts_of(row),
            usage=usage_of(row),
            tokens_estimate=row.tokens_estimate,
            planned=row.planned,
            waits=bool(row.waits),
            part_of=row.part_of,
        )
        for row in rows
    ]
    known = connection.execute(select(shares).where(shares.c.engine == engine)).all()
    return Competition(
        competitors=competitors,
        shares={ProjectId(row.project): _share_of(row) for row in known},
        experience={ProjectId(row.project): experience_of(row) for row in known},
        lanes=read_lanes(connection, engine, besides),
    )


@functools.cache
def _competitors() -> Select[Any]:
    """Return the statement; every lease asks it, and it takes longer to build than to run."""
    now = bindparam("now", type_=Moment)
    waits = exists().where(
        shards.c.job == jobs.c.id,
        shards.c.done.is_(False),
        or_(shards.c.owner.is_(None), shards.c.lease_expires <= now),
    )
    has_shards = exists().where(shards.c.job == jobs.c.id)
    unfinished = and_(
        is_unfinished(),
        jobs.c.paused.is_(False),
        has_shards,
        jobs.c.engine == bindparam("engine"),
    )
    place = func.row_number().over(
        partition_by=jobs.c.project, order_by=(jobs.c.priority.desc(), jobs.c.created, jobs.c.id)
    )
    ranked = select(jobs.c.id, place.label("place")).where(unfinished).subquery()
    first = select(ranked.c.id).order_by(ranked.c.place, ranked.c.id).limit(bindparam("first_max"))
    oldest = (
        select(jobs.c.id)
        .where(unfinished)
        .order_by(jobs.c.created, jobs.c.id)
        .limit(bindparam("oldest_max"))
    )
    return select(*(jobs.c[name] for name in COLUMNS), waits.label("waits")).where(
        or_(jobs.c.id.in_(first), jobs.c.id.in_(oldest))
    )


def begin_turn(connection: Connection, job: Job, share: Share) -> None:
    """Keep what a turn makes of the share of the job's project; counters never fall."""
    known = connection.execute(
        select(shares.c.served, shares.c.started).where(_is_of(job)).with_for_update()
    ).first()
    if known is None:
        connection.execute(
            insert(shares).values(
                engine=job.engine,
                project=job.project,
                weight=share.weight,
                served=share.served,
                started=share.started,
            )
        )
        return
    connection.execute(
        update(shares)
        .where(_is_of(job))
        .values(
            weight=share.weight,
            served=max(share.served, known.served),
            started=max(share.started, known.started),
        )
    )


def charge(connection: Connection, job: Job, work: int) -> None:
    """Add work that was done for the job to the share of its project."""
    connection.execute(
        update(shares)
        .where(_is_of(job))
        .values(served=shares.c.served + work * WORK_SCALE // shares.c.weight)
    )


def _is_of(job: Job) -> ColumnElement[bool]:
    return and_(shares.c.engine == job.engine, shares.c.project == job.project)


def _share_of(row: Row[Any]) -> Share:
    return Share(weight=row.weight, served=row.served, started=row.started)
