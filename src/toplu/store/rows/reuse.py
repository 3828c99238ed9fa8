"""The batches whose answers another one may have."""

from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, or_, select

from toplu.job import Job, JobId, JobState
from toplu.store.rows.database import Database
from toplu.store.rows.job_room import is_visible
from toplu.store.rows.schema import files, jobs


class ReuseRows:
    """Looks at jobs that have succeeded, of one project and one engine."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def sources(self, job: Job, since: datetime, now: datetime, most: int) -> list[JobId]:
        """Return the last jobs to end, since then, whose answers the job may have."""
        query = (
            select(jobs.c.id)
            .where(_is_source(job, since, now))
            .order_by(jobs.c.ended.desc(), jobs.c.id)
            .limit(most)
        )
        return await self._database.read(lambda c: [JobId(it) for it in c.scalars(query)])

    async def is_source(self, job: Job, source: JobId, since: datetime, now: datetime) -> bool:
        """Return whether the job may have answers of that one, at this moment."""
        query = select(jobs.c.id).where(jobs.c.id == source, _is_source(job, since, now))
        return await self._database.read(lambda c: c.scalar(query) is not None)


def _is_source(job: Job, since: datetime, now: datetime) -> ColumnElement[bool]:
    """Condition: others may have the answers, and neither they nor their file are gone."""
    has_file = exists().where(
        files.c.project == jobs.c.project,
        files.c.id == jobs.c.output_file,
        files.c.deleted.is_(False),
        files.c.expires > now,
    )
    return and_(
        jobs.c.project == job.project,
        jobs.c.engine == job.engine,
        jobs.c.reuse.is_(True),
        jobs.c.state == JobState.SUCCEEDED,
        jobs.c.ended >= since,
        is_visible(),
        or_(jobs.c.output_file.is_(None), has_file),
    )
