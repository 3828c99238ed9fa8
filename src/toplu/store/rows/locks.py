"""Locks that deeds take on what they go by; on SQLite a deed that writes is alone anyway.

A deed that waits for a lock looks after it has it, in a statement of its own: a statement sees what
was committed when it began. Functions run inside a transaction.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, func, or_, select

from toplu.job import JobId, ProjectId
from toplu.store.rows.schema import jobs


class Collision(Exception):
    """Another deed came between: this one is to be done again from its start."""


def lock_project(connection: Connection, project: ProjectId) -> None:
    """Have deeds that count what a project has, and add to it, come one after the other."""
    if connection.dialect.name == "postgresql":
        key = func.hashtextextended(project, 0)
        connection.execute(select(func.pg_advisory_xact_lock(key))).close()


def lock_batch(connection: Connection, job: JobId) -> Sequence[JobId]:
    """Keep others from changing the jobs of the batch that a job is of; return their ids."""
    of_job = select(func.coalesce(jobs.c.part_of, jobs.c.id)).where(jobs.c.id == job)
    batch = of_job.scalar_subquery()
    query = select(jobs.c.id).where(or_(jobs.c.id == batch, jobs.c.part_of == batch))
    query = query.order_by(jobs.c.id).with_for_update()
    return [JobId(name) for name in connection.scalars(query)]
