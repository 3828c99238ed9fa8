"""Holds on shards, and the counts that are written under them.

A lease is numbered by its shard's epoch, which every lease of the shard raises. Each write names
the epoch it was leased under, so a worker that was thought dead and comes back changes nothing.
Each function runs inside a transaction.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    exists,
    func,
    insert,
    or_,
    select,
    true,
    update,
)

from toplu.job import JobId, JobState, Lease, Shard, Share
from toplu.money import WORK_OF_REQUEST, Usage
from toplu.store.job_rows import (
    AnyRow,
    find_job,
    is_unfinished,
    is_visible,
    move_job,
    shard_of,
)
from toplu.store.result_log import Segment
from toplu.store.schema import jobs, segments, shards
from toplu.store.shares import begin_turn, charge


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a leased shard has come: its totals, and how far each segment it uses is valid."""

    lease: Lease
    segments: tuple[Segment, ...]
    succeeded: int  # of the whole shard, what earlier leases did included
    failed: int
    deduplicated: int = 0  # of the succeeded, those that another one's answer was right for
    usage: Usage


def lease_shard(
    connection: Connection,
    *,
    engine: str,
    owner: str,
    now: datetime,
    expires: datetime,
    wanted: JobId | None,
    after: Shard | None,
    share: Share,
) -> Lease | None:
    """Lease a free shard; see `Jobs.lease_shard`."""
    free = and_(
        shards.c.done.is_(False),
        or_(shards.c.owner.is_(None), shards.c.lease_expires <= now),
    )
    job = find_job(
        connection,
        is_unfinished(),
        jobs.c.engine == engine,
        true() if wanted is None else jobs.c.id == wanted,
        exists().where(shards.c.job == jobs.c.id, free),
    )
    if job is None:
        return None
    number = _choose_shard(connection, job.id, free, after)
    row = connection.execute(
        select(shards).where(shards.c.job == job.id, shards.c.number == number)
    ).one()
    shard = shard_of(row)
    shard = replace(shard, epoch=shard.epoch + 1)
    connection.execute(
        update(shards)
        .where(shards.c.job == job.id, shards.c.number == shard.number)
        .values(epoch=shard.epoch, owner=owner, lease_expires=expires)
    )
    job = move_job(connection, job.id, JobState.RUNNING, now) or job
    begin_turn(connection, job, share)
    return Lease(job=job, shard=shard, owner=owner, expires=expires)


def _choose_shard(
    connection: Connection, job: JobId, free: ColumnElement[bool], after: Shard | None
) -> int:
    """Return the number of the free shard that is leased next; there is one.

    A lane goes on behind its last shard, where its prefix goes on. One that cannot begins where
    most is free: at the start, or in the middle if another lane is about to come to the start.
    """
    if after is not None and after.job == job:
        following = select(shards.c.number).where(
            shards.c.job == job, shards.c.number == after.number + 1, free
        )
        if connection.execute(following).first() is not None:
            return after.number + 1
    # Numbers without a gap among them have one and the same distance from their rank.
    rank = func.row_number().over(order_by=shards.c.number)
    numbers = (
        select(shards.c.number, (shards.c.number - rank).label("run"))
        .where(shards.c.job == job, free)
        .subquery()
    )
    first, count = func.min(numbers.c.number), func.count()
    largest = connection.execute(
        select(first.label("first"), count.label("size"))
        .group_by(numbers.c.run)
        .order_by(count.desc(), first)
        .limit(1)
    ).one()
    before = select(shards.c.number).where(
        shards.c.job == job, shards.c.number == largest.first - 1, shards.c.done.is_(False)
    )
    is_approached = connection.execute(before).first() is not None
    return int(largest.first + (largest.size // 2 if is_approached else 0))


def renew_leases(connection: Connection, leases: Sequence[Lease], expires: datetime) -> list[Lease]:
    """Prolong the leases that still count; see `Jobs.renew`."""
    held = []
    for lease in leases:
        if _read_held(connection, lease) is not None:
            connection.execute(update(shards).where(_is_held(lease)).values(lease_expires=expires))
            held.append(replace(lease, expires=expires))
    return held


def give_back_lease(connection: Connection, lease: Lease) -> None:
    """End the lease if it is still held."""
    connection.execute(update(shards).where(_is_held(lease)).values(owner=None, lease_expires=None))


def give_back_all_of_others(connection: Connection, owner: str) -> int:
    """End every lease of other owners and return how many there were."""
    return connection.execute(
        update(shards)
        .where(shards.c.owner.is_not(None), shards.c.owner != owner)
        .values(owner=None, lease_expires=None)
    ).rowcount


def record_progress(connection: Connection, group: Sequence[Progress], at: datetime) -> list[Lease]:
    """Write what leases achieved; return those that are lost."""
    return [progress.lease for progress in group if not _record_one(connection, progress, at)]


def _record_one(connection: Connection, progress: Progress, at: datetime) -> bool:
    lease = progress.lease
    row = _read_held(connection, lease)
    if row is None:
        return False
    before = shard_of(row)
    after = replace(
        before,
        succeeded=progress.succeeded,
        failed=progress.failed,
        deduplicated=progress.deduplicated,
        usage=progress.usage,
    )
    gained = after.usage - before.usage
    assert before.succeeded <= after.succeeded, "an outcome is never taken back"
    assert before.failed <= after.failed, "an outcome is never taken back"
    assert gained.has_no_negative, "an outcome is never taken back"
    assert after.succeeded + after.failed <= after.count, "each request has one outcome"
    connection.execute(
        update(shards)
        .where(_is_held(lease))
        .values(
            succeeded=after.succeeded,
            failed=after.failed,
            deduplicated=after.deduplicated,
            done=after.is_done,
            **asdict(after.usage),
        )
    )
    if after.is_done:
        give_back_lease(connection, lease)
    connection.execute(
        update(jobs)
        .where(jobs.c.id == lease.job.id)
        .values(
            succeeded=jobs.c.succeeded + (after.succeeded - before.succeeded),
            failed=jobs.c.failed + (after.failed - before.failed),
            deduplicated=jobs.c.deduplicated + (after.deduplicated - before.deduplicated),
            **{name: jobs.c[name] + tokens for name, tokens in asdict(gained).items()},
            updated=at,
        )
    )
    outcomes = after.succeeded + after.failed - before.succeeded - before.failed
    charge(connection, lease.job, gained.work + outcomes * WORK_OF_REQUEST)
    for segment in progress.segments:
        _write_segment(connection, lease, segment)
    return True


def _write_segment(connection: Connection, lease: Lease, segment: Segment) -> None:
    assert segment.job == lease.job.id, "a lease speaks for its own shard only"
    assert segment.shard == lease.shard.number, "a lease speaks for its own shard only"
    assert segment.epoch <= lease.shard.epoch, "no later lease has written yet"
    known = connection.execute(
        update(segments)
        .where(
            segments.c.job == segment.job,
            segments.c.shard == segment.shard,
            segments.c.epoch == segment.epoch,
        )
        .values(committed_bytes=segment.committed_bytes)
    )
    if not known.rowcount:
        connection.execute(insert(segments).values(asdict(segment)))


def _is_held(lease: Lease) -> ColumnElement[bool]:
    return and_(
        shards.c.job == lease.job.id,
        shards.c.number == lease.shard.number,
        shards.c.epoch == lease.shard.epoch,
        shards.c.owner == lease.owner,
    )


def _read_held(connection: Connection, lease: Lease) -> AnyRow | None:
    """Return the shard if the lease still counts: not taken over, and its job goes on."""
    return connection.execute(
        select(shards)
        .join(jobs, jobs.c.id == shards.c.job)
        .where(_is_held(lease), is_visible(), jobs.c.state == JobState.RUNNING)
        .with_for_update()
    ).first()
