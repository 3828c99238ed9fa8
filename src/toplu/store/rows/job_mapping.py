"""Jobs and shards as rows, and the moves of a job; each function runs inside a transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    case,
    exists,
    func,
    insert,
    select,
    update,
)

from toplu.errors import RequestError
from toplu.job import (
    CARRIED_FROM,
    InputForm,
    Job,
    JobId,
    JobState,
    Method,
    ProjectId,
    RequestCounts,
    Shard,
    Wire,
    sources_of,
)
from toplu.money import TOKENS, Prices, Usage
from toplu.store.blobs.result_log import Segment
from toplu.store.rows.events import write_event
from toplu.store.rows.experience import learn_from
from toplu.store.rows.job_room import check_room, is_unfinished, is_visible
from toplu.store.rows.ledger import insert_batch_entry
from toplu.store.rows.locks import lock_batch
from toplu.store.rows.retries import link_retry
from toplu.store.rows.schema import jobs, segments, shards
from toplu.store.rows.step_holds import end_steps

AnyRow = Row[tuple[Any, ...]]


def job_of(row: AnyRow) -> Job:
    """Return the job of a row of `jobs`."""
    return Job(
        id=JobId(row.id),
        project=ProjectId(row.project),
        model=row.model,
        engine=row.engine,
        method=Method(row.method),
        wire=Wire(row.wire),
        wire_details=row.wire_details,
        webhook_config=row.webhook_config,
        display_name=row.display_name,
        input_form=InputForm(row.input_form),
        input_file=row.input_file,
        state=JobState(row.state),
        counts=counts_of(row),
        prices=prices_of(row),
        usage=usage_of(row),
        tokens_estimate=row.tokens_estimate,
        planned=row.planned,
        priority=row.priority,
        paused=row.paused,
        reuse=row.reuse,
        created=row.created,
        updated=row.updated,
        started=row.started,
        ended=row.ended,
        expires=row.expires,
        output_file=row.output_file,
        input_sha256=row.input_sha256,
        output_sha256=row.output_sha256,
        input_origin=row.input_origin,
        computed_by=row.computed_by,
        part_of=row.part_of,
        retry_of=row.retry_of,
        retried_by=row.retried_by,
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
        deduplicated=row.deduplicated,
        usage=usage_of(row),
        epoch=row.epoch,
    )


def prices_of(row: AnyRow) -> Prices:
    """Return what a token of the job of a row costs."""
    return Prices(
        currency=row.currency,
        input_units=row.input_units,
        cached_units=row.cached_units,
        output_units=row.output_units,
        reused_units=row.reused_units,
    )


def counts_of(row: AnyRow) -> RequestCounts:
    """Return how far the job of a row has come."""
    return RequestCounts(
        total=row.total,
        succeeded=row.succeeded,
        failed=row.failed,
        deduplicated=row.deduplicated,
        carried=row.carried,
    )


def usage_of(row: AnyRow) -> Usage:
    """Return what a row of `jobs` or `shards` says was used."""
    return Usage(**{name: getattr(row, name) for name in TOKENS})


def find_job(connection: Connection, *conditions: ColumnElement[bool]) -> Job | None:
    """Return the oldest visible job that meets the conditions."""
    row = connection.execute(
        select(jobs).where(is_visible(), *conditions).order_by(jobs.c.created, jobs.c.id).limit(1)
    ).first()
    return None if row is None else job_of(row)


def insert_job(
    connection: Connection, job: Job, unfinished_max: int, enqueued_tokens_max: int | None
) -> None:
    """Add the job; see `JobRows.create`."""
    check_room(connection, job, unfinished_max, enqueued_tokens_max)
    values = asdict(job)
    assert values.pop("error") is None, "a job begins without an error"
    parts = values.pop("counts") | values.pop("prices") | values.pop("usage")
    connection.execute(insert(jobs).values(**values, **parts, deleted=False))
    if job.retry_of is not None:
        link_retry(connection, job)


def plan_job(
    connection: Connection, job_id: JobId, cut: list[Shard], total: int, at: datetime
) -> bool:
    """Keep the shards; see `JobRows.plan`."""
    planned = connection.execute(
        update(jobs)
        .where(jobs.c.id == job_id, is_unfinished(), jobs.c.planned.is_(False))
        .values(planned=True, total=total, updated=at)
    )
    if not planned.rowcount:
        return False
    end_steps(connection, job_id)
    insert_shards(connection, job_id, cut)
    assert _requests_in_shards(connection, job_id) <= total, "no request is in two shards"
    undone = exists().where(shards.c.job == job_id, shards.c.done.is_(False))
    if not connection.execute(select(undone)).scalar_one():
        # No shard is to be leased, and it is the first lease that sets a job running.
        move_job(connection, job_id, JobState.RUNNING, at)
    return True


def begin_plan(connection: Connection, job_id: JobId, cut: list[Shard], at: datetime) -> bool:
    """Keep the first shards; see `JobRows.begin_plan`."""
    count = sum(shard.count for shard in cut)
    begun = connection.execute(
        update(jobs)
        .where(
            jobs.c.id == job_id,
            is_unfinished(),
            jobs.c.planned.is_(False),
            ~exists().where(shards.c.job == job_id, shards.c.number < CARRIED_FROM),
        )
        .values(total=case((jobs.c.total < count, count), else_=jobs.c.total), updated=at)
    )
    if not begun.rowcount:
        return False
    end_steps(connection, job_id)
    insert_shards(connection, job_id, cut)
    return True


def _requests_in_shards(connection: Connection, job_id: JobId) -> int:
    count = select(func.coalesce(func.sum(shards.c["count"]), 0)).where(shards.c.job == job_id)
    return int(connection.execute(count).scalar_one())


def insert_shards(connection: Connection, job_id: JobId, cut: Sequence[Shard]) -> None:
    """Add shards of the job."""
    assert all(shard.job == job_id and (shard.epoch == 0 or shard.is_carried) for shard in cut), (
        "the shards are untouched"
    )
    if cut:
        connection.execute(
            insert(shards), [_values_of(shard) | {"done": shard.is_done} for shard in cut]
        )


def insert_carried(
    connection: Connection, job: Job, cut: Sequence[Shard], carried: Sequence[Segment]
) -> None:
    """Add the segments of shards that are done from the start; if all are, the job is complete."""
    if carried:
        connection.execute(insert(segments), [asdict(segment) for segment in carried])
    if job.planned and all(shard.is_done for shard in cut):
        # No shard will ever be leased, and it is the first lease that sets a job running.
        move_job(connection, job.id, JobState.RUNNING, job.created)


def _values_of(shard: Shard) -> dict[str, Any]:
    values = asdict(shard)
    values.update(values.pop("usage"))
    return values


def amend_job(
    connection: Connection,
    project: ProjectId,
    job_id: JobId,
    changes: Mapping[str, object],
    at: datetime,
) -> Job | None:
    """Change columns of the job; see `JobRows.amend`."""
    is_it = and_(jobs.c.project == project, jobs.c.id == job_id)
    connection.execute(update(jobs).where(is_it, is_visible()).values(**changes, updated=at))
    return find_job(connection, is_it)


def move_job(
    connection: Connection,
    job_id: JobId,
    target: JobState,
    at: datetime,
    *,
    error: RequestError | None = None,
    output_file: str | None = None,
    output_sha256: str | None = None,
) -> Job | None:
    """Move the job if `job.MOVES` allows it; see `JobRows.move`.

    With a final state come the entry in the ledger and what webhooks are to be told: no job ends
    without, and none has two.
    """
    values: dict[str, Any] = {"state": target, "updated": at}
    if target.is_final:
        lock_batch(connection, job_id)  # of parts that end at once, the second ends the batch
        values["ended"] = at
    elif target is JobState.RUNNING:
        values["started"] = at
    if error is not None:
        values |= {"error_code": error.code, "error_message": error.message}
    outputs = {"output_file": output_file, "output_sha256": output_sha256}
    values |= {name: value for name, value in outputs.items() if value is not None}
    moved = connection.execute(
        update(jobs)
        .where(jobs.c.id == job_id, is_visible(), jobs.c.state.in_(sorted(sources_of(target))))
        .values(values)
    )
    if not moved.rowcount:
        return None
    job = find_job(connection, jobs.c.id == job_id)
    assert job is not None, "it has just been moved"
    if target.is_final:
        end_steps(connection, job_id)
        insert_batch_entry(connection, job, at)
        learn_from(connection, job)
        write_event(connection, job, at)
    return job
