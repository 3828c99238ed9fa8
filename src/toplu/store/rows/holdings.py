"""The bytes that rows stand for: what a copy of the rows needs beside it."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import URL, Connection, and_, create_engine, func, select

from toplu.job import JobId, JobState, ProjectId
from toplu.store.blobs.result_log import Segment
from toplu.store.rows.job_room import is_unfinished, is_visible
from toplu.store.rows.schema import files, jobs, segments, uploads


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """Everything that rows name."""

    jobs: set[JobId]  # whose folder of blobs is theirs
    unfinished: set[JobId]  # of these, those that cannot be without their input
    blobs: set[str]  # of files
    segments: list[Segment]
    uploads: set[str]  # by the hash of their id
    ended: list[tuple[ProjectId, JobId]]


def holdings_of(database: Path) -> Holdings:
    """Return what the rows of a database name that nobody else has open; blocking."""
    engine = create_engine(URL.create("sqlite", database=str(database)))
    try:
        with engine.begin() as connection:
            return read_holdings(connection)
    finally:
        engine.dispose()


def read_holdings(connection: Connection) -> Holdings:
    """Return all that the rows name and clients can still reach."""
    there = select(jobs.c.id).where(is_visible())
    unfinished = select(jobs.c.id).where(is_unfinished())
    blobs = select(files.c.blob).where(~files.c.deleted)
    # The results of a job that has succeeded are in its output.
    has_log = and_(is_visible(), jobs.c.state != JobState.SUCCEEDED)
    logs = select(segments).where(segments.c.job.in_(select(jobs.c.id).where(has_log)))
    return Holdings(
        jobs={JobId(name) for name in connection.scalars(there)},
        unfinished={JobId(name) for name in connection.scalars(unfinished)},
        blobs=set(connection.scalars(blobs)),
        segments=[
            Segment(
                job=JobId(row.job),
                shard=row.shard,
                epoch=row.epoch,
                committed_bytes=row.committed_bytes,
            )
            for row in connection.execute(logs)
        ],
        uploads=set(connection.scalars(select(uploads.c.id_hash))),
        ended=[
            (ProjectId(row.project), JobId(row.id))
            for row in connection.execute(
                select(jobs.c.project, jobs.c.id).where(is_visible(), ~is_unfinished())
            )
        ],
    )


def newest_update(connection: Connection) -> datetime | None:
    """Return when a job was changed last; None: there is none."""
    newest: datetime | None = connection.scalar(select(func.max(jobs.c.updated)))
    return newest
