"""Room for a job: what counts as one, and whether a project may have another; in a transaction."""

from sqlalchemy import ColumnElement, Connection, and_, func, select

from toplu.errors import ResourceExhausted
from toplu.job import UNFINISHED, Job
from toplu.store.rows.schema import jobs

RETRY_SECONDS = 60  # a batch ends when it ends; asking more often than this is no use
UNFINISHED_STATES = sorted(UNFINISHED)


def is_visible() -> ColumnElement[bool]:
    """Condition: the job is not deleted."""
    return jobs.c.deleted.is_(False)


def is_unfinished() -> ColumnElement[bool]:
    """Condition: the job is not deleted and may still move."""
    return and_(is_visible(), jobs.c.state.in_(UNFINISHED_STATES))


def check_room(
    connection: Connection, job: Job, unfinished_max: int, enqueued_tokens_max: int | None
) -> None:
    """Raise ResourceExhausted if the job is one too many; the parts of a batch count as one."""
    batch = func.coalesce(jobs.c.part_of, jobs.c.id)
    unfinished = connection.scalar(
        select(func.count(batch.distinct())).where(is_unfinished(), jobs.c.project == job.project)
    )
    assert unfinished is not None, "a count is always there"
    if job.part_of is None and unfinished >= unfinished_max:
        raise ResourceExhausted.of_quota(
            "batch_concurrent_batches",
            unfinished_max,
            "so many batches may be unfinished at once.",
            retry_seconds=RETRY_SECONDS,
        )
    if enqueued_tokens_max is not None:
        _check_enqueued_tokens(connection, job, enqueued_tokens_max)


def _check_enqueued_tokens(connection: Connection, job: Job, limit: int) -> None:
    enqueued = connection.scalar(
        select(func.coalesce(func.sum(jobs.c.tokens_estimate), 0)).where(
            is_unfinished(), jobs.c.project == job.project, jobs.c.engine == job.engine
        )
    )
    assert enqueued is not None, "a sum is always there"
    if enqueued + job.tokens_estimate > limit:
        raise ResourceExhausted.of_quota(
            "batch_enqueued_tokens",
            limit,
            f"unfinished batches have {enqueued} tokens and this one has {job.tokens_estimate}, "
            "both estimated.",
            model=job.model,
            # A batch that is too large by itself will be so in a minute as well.
            retry_seconds=RETRY_SECONDS if job.tokens_estimate <= limit else 0,
        )
