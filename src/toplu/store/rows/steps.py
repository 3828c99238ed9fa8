"""The steps of jobs that are due, and who takes them; `store.rows.step_holds` says what that is."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, select

from toplu.job import CARRIED_FROM, Job, JobId, JobState
from toplu.store.rows.database import Database
from toplu.store.rows.job_mapping import find_job
from toplu.store.rows.job_room import is_unfinished
from toplu.store.rows.schema import jobs, shards
from toplu.store.rows.step_holds import StepKind, hold_step, is_held_by_another
from toplu.store.rows.worker_tables import steps

__all__ = ["StepKind"]


class StepRows:
    """Finds jobs that are due for a step, and holds the step for a worker."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def next(
        self, kind: StepKind, owner: str, now: datetime, except_for: Collection[JobId] = ()
    ) -> Job | None:
        """Return the oldest job that is due for a step of the kind which no other worker holds."""
        return await self._database.read(lambda c: _next(c, kind, owner, now, except_for))

    async def take(
        self, kind: StepKind, owner: str, now: datetime, except_for: Collection[JobId] = ()
    ) -> Job | None:
        """Hold the step of that job for the worker, and return the job."""

        def take(connection: Connection) -> Job | None:
            job = _next(connection, kind, owner, now, except_for)
            if job is not None:
                hold_step(connection, kind, job.id, owner, now)
            return job

        return await self._database.write(take)

    async def holds(self, kind: StepKind, job: JobId, owner: str, now: datetime) -> bool:
        """Return whether the worker holds the step."""
        query = select(steps.c.job).where(
            steps.c.job == job,
            steps.c.kind == kind,
            steps.c.owner == owner,
            steps.c.expires > now,
        )
        return await self._database.read(lambda c: c.execute(query).first() is not None)

    async def give_back(self, kind: StepKind, job: JobId, owner: str) -> None:
        """Let another worker have the step at once."""
        statement = delete(steps).where(
            steps.c.job == job, steps.c.kind == kind, steps.c.owner == owner
        )
        await self._database.write(lambda c: c.execute(statement).close())


def is_complete(connection: Connection, job: JobId) -> bool:
    """Return whether every request of the running job has an outcome."""
    query = select(jobs.c.id).where(jobs.c.id == job, _is_due(StepKind.ASSEMBLE))
    return connection.execute(query).first() is not None


def _next(
    connection: Connection,
    kind: StepKind,
    owner: str,
    now: datetime,
    except_for: Collection[JobId],
) -> Job | None:
    return find_job(
        connection,
        _is_due(kind),
        jobs.c.id.not_in(except_for),
        ~exists().where(is_held_by_another(jobs.c.id, kind, owner, now)),
    )


def _is_due(kind: StepKind) -> ColumnElement[bool]:
    has_shards = exists().where(shards.c.job == jobs.c.id, shards.c.number < CARRIED_FROM)
    match kind:
        case StepKind.PLAN:
            return and_(is_unfinished(), jobs.c.planned.is_(False), ~has_shards)
        case StepKind.ORDER:
            return and_(is_unfinished(), jobs.c.planned.is_(False), has_shards)
        case StepKind.ASSEMBLE:
            undone = exists().where(shards.c.job == jobs.c.id, shards.c.done.is_(False))
            return and_(jobs.c.state == JobState.RUNNING, jobs.c.planned.is_(True), ~undone)
