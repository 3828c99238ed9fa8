"""The link between a job and the one that runs again what it left; inside a transaction."""

from sqlalchemy import Connection, select, update

from toplu.errors import FailedPrecondition, NotFound
from toplu.job import Job
from toplu.store.rows.schema import jobs


def link_retry(connection: Connection, retry: Job) -> None:
    """Have the job that is run again name its retry; raise if it is gone or has one already.

    What is called twice would be paid for twice.
    """
    linked = connection.execute(
        update(jobs)
        .where(
            jobs.c.id == retry.retry_of,
            jobs.c.project == retry.project,
            jobs.c.deleted.is_(False),
            jobs.c.retried_by.is_(None),
        )
        .values(retried_by=retry.id)
    )
    if linked.rowcount:
        return
    known = connection.scalar(
        select(jobs.c.retried_by).where(jobs.c.id == retry.retry_of, jobs.c.deleted.is_(False))
    )
    if known is None:
        raise NotFound("Requested entity was not found.")
    raise FailedPrecondition(
        f"batches/{retry.retry_of} is run again already, as batches/{known}: retry that one when "
        "it has ended, or delete it first."
    )


def unlink_retry(connection: Connection, retry: Job) -> None:
    """Let the job be run again whose retry is deleted."""
    connection.execute(
        update(jobs)
        .where(jobs.c.id == retry.retry_of, jobs.c.retried_by == retry.id)
        .values(retried_by=None)
    )
