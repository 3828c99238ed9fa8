"""Jobs and shards as rows, and the moves of a job; each function runs inside a transaction."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, func, insert, select, update

from toplu.errors import RequestError, ResourceExhausted
from toplu.job import (
    UNFINISHED,
    InputForm,
    Job,
    JobId,
    JobState,
    Method,
    ProjectId,
    RequestCounts,
    Shard,
    sources_of,
)
from toplu.store.schema import jobs, shards

UNFINISHED_STATES = sorted(UNFINISHED)

AnyRow = Row[tuple[Any, ...]]


def is_visible() -> ColumnElement[bool]:
    """Condition: the job is not deleted."""
    return jobs.c.deleted.is_(False)


def is_unfinished() -> ColumnElement[bool]:
    """Condition: the job is not deleted and may still move."""
    return and_(is_visible(), jobs.c.state.in_(UNFINISHED_STATES))


def job_of(row: AnyRow) -> Job:
    """Return the job of a row of `jobs`."""
    return Job(
        id=JobId(row.id),
        project=ProjectId(row.project),
        model=row.model,
        engine=row.engine,
        method=Method(row.method),
        display_name=row.display_name,
        input_form=InputForm(row.input_form),
        input_file=row.input_file,
        state=JobState(row.state),
        counts=RequestCounts(total=row.total, succeeded=row.succeeded, failed=row.failed),
        planned=row.planned,
        created=row.created,
        updated=row.updated,
        ended=row.ended,
        expires=row.expires,
        output_file=row.output_file,
        error=None
        if row.error_code is None
        else RequestError(code=row.error_code, message=row.error_message),
    )


def shard_of(row: AnyRow) -> Shard:
    """Return the shard of a row of `shards`."""
    return Shard(
        job=JobId(row.job),
        number=row.number,
        first=row.first,
        count=row._asdict()["count"],  # `row.count` is a method of tuples
        succeeded=row.succeeded,
        failed=row.failed,
        epoch=row.epoch,
    )


def find_job(connection: Connection, *conditions: ColumnElement[bool]) -> Job | None:
    """Return the oldest visible job that meets the conditions."""
    row = connection.execute(
        select(jobs).where(is_visible(), *conditions).order_by(jobs.c.created, jobs.c.id).limit(1)
    ).first()
    return None if row is None else job_of(row)


def insert_job(connection: Connection, job: Job, unfinished_max: int) -> None:
    """Add the job; see `Jobs.create`."""
    unfinished = connection.scalar(
        select(func.count()).select_from(jobs).where(is_unfinished(), jobs.c.project == job.project)
    )
    assert unfinished is not None, "a count is always there"
    if unfinished >= unfinished_max:
        raise ResourceExhausted(
            f"Resource has been exhausted: at most {unfinished_max} batches may be unfinished "
            "at once."
        )
    values = asdict(job)
    counts, error = values.pop("counts"), values.pop("error")
    assert error is None, "a job begins without an error"
    connection.execute(insert(jobs).values(**values, **counts, deleted=False))


def plan_job(
    connection: Connection, job_id: JobId, cut: list[Shard], total: int, at: datetime
) -> bool:
    """Keep the shards; see `Jobs.plan`."""
    assert sum(shard.count for shard in cut) == total, "the shards hold all requests"
    assert all(shard.job == job_id and shard.epoch == 0 for shard in cut), (
        "the shards are untouched"
    )
    planned = connection.execute(
        update(jobs)
        .where(jobs.c.id == job_id, is_unfinished(), jobs.c.planned.is_(False))
        .values(planned=True, total=total, updated=at)
    )
    if not planned.rowcount:
        return False
    if cut:
        connection.execute(
            insert(shards), [asdict(shard) | {"done": shard.is_done} for shard in cut]
        )
    else:
        # No shard will ever be leased, and it is the first lease that sets a job running.
        move_job(connection, job_id, JobState.RUNNING, at)
    return True


def move_job(
    connection: Connection,
    job_id: JobId,
    target: JobState,
    at: datetime,
    *,
    error: RequestError | None = None,
    output_file: str | None = None,
) -> Job | None:
    """Move the job if `job.MOVES` allows it; see `Jobs.move`."""
    values: dict[str, Any] = {"state": target, "updated": at}
    if target.is_final:
        values["ended"] = at
    if error is not None:
        values |= {"error_code": error.code, "error_message": error.message}
    if output_file is not None:
        values["output_file"] = output_file
    moved = connection.execute(
        update(jobs)
        .where(jobs.c.id == job_id, is_visible(), jobs.c.state.in_(sorted(sources_of(target))))
        .values(values)
    )
    return find_job(connection, jobs.c.id == job_id) if moved.rowcount else None
