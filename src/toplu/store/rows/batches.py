"""Batches: a job, and the jobs of the same batch for other engines; inside a transaction.

Clients know a batch by the id of its first job. The others name that as `part_of`, run by
themselves, and are made, cancelled and deleted with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, or_, select, update

from toplu.deed import Action
from toplu.errors import RequestError
from toplu.job import Job, JobId, JobState, ProjectId, Shard
from toplu.store.blobs.result_log import Segment
from toplu.store.rows.audit import note
from toplu.store.rows.deletions import check_living
from toplu.store.rows.files import StoredFile, is_file, replace_file
from toplu.store.rows.job_mapping import (
    amend_job,
    find_job,
    insert_carried,
    insert_job,
    insert_shards,
    job_of,
    move_job,
)
from toplu.store.rows.job_room import is_visible
from toplu.store.rows.ledger import insert_batch_entry
from toplu.store.rows.locks import lock_batch
from toplu.store.rows.retries import unlink_retry
from toplu.store.rows.schema import files, jobs, label_sums, segments, shards
from toplu.store.rows.step_holds import end_steps


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPart:
    """A job of a batch that is to be, besides its first one."""

    job: Job
    enqueued_tokens_max: int | None
    cut: Sequence[Shard]
    carried: Sequence[Segment] = ()


def read_batches(
    connection: Connection, project: ProjectId, job_ids: Sequence[JobId]
) -> dict[JobId, list[Job]]:
    """Return the parts of each batch that there is; see `JobRows.batches`."""
    is_first = and_(jobs.c.id.in_(job_ids), jobs.c.part_of.is_(None))
    query = (
        select(jobs)
        .where(jobs.c.project == project, or_(is_first, jobs.c.part_of.in_(job_ids)), is_visible())
        .order_by(jobs.c.part_of.is_not(None), jobs.c.engine, jobs.c.id)
    )
    found: dict[JobId, list[Job]] = {}
    for job in map(job_of, connection.execute(query)):
        found.setdefault(job.batch, []).append(job)
    return found


def insert_parts(connection: Connection, parts: Sequence[NewPart], unfinished_max: int) -> None:
    """Add what a batch has besides its first job."""
    for part in parts:
        insert_job(connection, part.job, unfinished_max, part.enqueued_tokens_max)
        insert_shards(connection, part.job.id, part.cut)
        insert_carried(connection, part.job, part.cut, part.carried)


def move_batch(
    connection: Connection,
    job_id: JobId,
    target: JobState,
    at: datetime,
    error: RequestError | None,
) -> list[Job]:
    """Move the parts of the batch; see `JobRows.move_batch`."""
    ids = _ids_of_batch(connection, job_id)
    found = [move_job(connection, part, target, at, error=error) for part in ids]
    moved = [job for job in found if job is not None]
    if moved and target is JobState.CANCELLED:
        _note(connection, Action.BATCH_CANCEL, moved[0], at)
    return moved


def _ids_of_batch(connection: Connection, job_id: JobId) -> list[JobId]:
    """Return the ids of a job and of those that are parts of its batch."""
    query = select(jobs.c.id).where(or_(jobs.c.id == job_id, jobs.c.part_of == job_id))
    return [JobId(row.id) for row in connection.execute(query)]


def has_unended_part(moment: datetime) -> ColumnElement[bool]:
    """Condition: another part of the batch of a first job had not ended by then."""
    part = jobs.alias()
    is_later = or_(part.c.ended.is_(None), part.c.ended >= moment)
    return exists().where(part.c.part_of == jobs.c.id, is_later)


def mark_deleted(
    connection: Connection, project: ProjectId, job_id: JobId, at: datetime
) -> list[Job]:
    """Make the batch invisible; see `JobRows.mark_deleted`."""
    marked = make_invisible(connection, project, job_id, at)
    if marked:
        _note(connection, Action.BATCH_DELETE, marked[0], at)
    return marked


def make_invisible(
    connection: Connection, project: ProjectId, job_id: JobId, at: datetime
) -> list[Job]:
    """Do so as a part of another deed."""
    lock_batch(connection, job_id)
    found = [
        find_job(connection, jobs.c.project == project, jobs.c.id == part)
        for part in _ids_of_batch(connection, job_id)
    ]
    marked = [job for job in found if job is not None]
    for job in marked:
        connection.execute(update(jobs).where(jobs.c.id == job.id).values(deleted=True, updated=at))
        unlink_retry(connection, job)
        if not job.is_final:
            insert_batch_entry(connection, job, at)
        results = update(files).where(is_file(project, job.output_file))
        connection.execute(results.values(deleted=True))
    return marked


def amend(
    connection: Connection,
    project: ProjectId,
    job_id: JobId,
    changes: Mapping[str, object],
    at: datetime,
    *,
    action: Action,
) -> Job | None:
    """Change columns of the batch's jobs; see `JobRows.amend`."""
    for part in lock_batch(connection, job_id):
        amend_job(connection, project, part, changes, at)
    changed = find_job(connection, jobs.c.project == project, jobs.c.id == job_id)
    if changed is not None:
        _note(connection, action, changed, at)
    return changed


def succeed(
    connection: Connection,
    job_id: JobId,
    at: datetime,
    results: StoredFile | None,
    output_sha256: str | None,
) -> Job | None:
    """Move the job to SUCCEEDED, and keep the row of its results file."""
    job = move_job(
        connection,
        job_id,
        JobState.SUCCEEDED,
        at,
        output_file=None if results is None else results.id,
        output_sha256=output_sha256,
    )
    if job is not None and results is not None:
        replace_file(connection, results)
    return job


def note_made(connection: Connection, job: Job) -> None:
    """Have the audit log say who made a batch, by its first job; raises if its project goes."""
    check_living(connection, job.project, job.created)
    action = Action.BATCH_CREATE if job.retry_of is None else Action.BATCH_RETRY
    detail = None if job.retry_of is None else f"of batches/{job.retry_of}"
    _note(connection, action, job, job.created, detail)


def _note(
    connection: Connection, action: Action, job: Job, at: datetime, detail: str | None = None
) -> None:
    note(connection, action, job.project, f"batches/{job.batch}", at, detail=detail)


def forget_job(connection: Connection, job_id: JobId) -> None:
    """Remove all rows of a job that is marked as deleted."""
    marked = select(jobs.c.id).where(jobs.c.id == job_id, jobs.c.deleted.is_(True))
    if connection.execute(marked).first() is None:
        return
    connection.execute(delete(segments).where(segments.c.job == job_id))
    connection.execute(delete(label_sums).where(label_sums.c.job == job_id))
    connection.execute(delete(shards).where(shards.c.job == job_id))
    end_steps(connection, job_id)
    connection.execute(delete(jobs).where(jobs.c.id == job_id))
