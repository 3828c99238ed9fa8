"""Holds on shards.

A lease is numbered by its shard's epoch, which every lease of the shard raises. Each write names
the epoch it was leased under, so a worker that was thought dead and comes back changes nothing.
Each function runs inside a transaction.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    exists,
    func,
    or_,
    select,
    true,
    tuple_,
    update,
)

from toplu.job import WAVE_SHARDS, JobId, JobState, Lease, Shard, Share
from toplu.store.rows.at_work import AtWork, write_changes
from toplu.store.rows.job_mapping import (
    find_job,
    move_job,
    shard_of,
)
from toplu.store.rows.job_room import is_unfinished, is_visible
from toplu.store.rows.schema import jobs, shards
from toplu.store.rows.shares import begin_turn


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
    at_work: Sequence[AtWork],
) -> Lease | None:
    """Lease a free shard; see `JobRows.lease_shard`."""
    free = and_(
        shards.c.done.is_(False),
        or_(shards.c.owner.is_(None), shards.c.lease_expires <= now),
    )
    job = find_job(
        connection,
        is_unfinished(),
        jobs.c.paused.is_(False),
        jobs.c.engine == engine,
        true() if wanted is None else jobs.c.id == wanted,
        exists().where(shards.c.job == jobs.c.id, free),
    )
    if job is None:
        return None
    shard = _take_one(connection, job.id, free, after, owner=owner, expires=expires)
    if shard is None:
        return None
    job = move_job(connection, job.id, JobState.RUNNING, now) or job
    begin_turn(connection, job, share)
    write_changes(connection, at_work)
    return Lease(job=job, shard=shard, owner=owner, expires=expires)


def _take_one(
    connection: Connection,
    job: JobId,
    free: ColumnElement[bool],
    after: Shard | None,
    *,
    owner: str,
    expires: datetime,
) -> Shard | None:
    """Hold the shard of the job that is leased next; None if others hold all."""

    def take(number: int) -> Shard | None:
        is_it = and_(shards.c.job == job, shards.c.number == number)
        return _take(connection, is_it, free, owner, expires)

    shard = take(_choose_shard(connection, job, free, after))
    if shard is not None:
        return shard
    # Another was faster: any one that nobody else is about to take will do.
    number = _free_shard(connection, job, free)
    return None if number is None else take(number)


def _take(
    connection: Connection,
    is_it: ColumnElement[bool],
    free: ColumnElement[bool],
    owner: str,
    expires: datetime,
) -> Shard | None:
    """Hold the shard, in its next epoch; None if another was faster."""
    shard = shard_of(connection.execute(select(shards).where(is_it)).one())
    # Two that chose at once are one behind the other here: the second finds it held.
    taken = connection.execute(
        update(shards)
        .where(is_it, free, shards.c.epoch == shard.epoch)
        .values(epoch=shard.epoch + 1, owner=owner, lease_expires=expires)
    )
    return replace(shard, epoch=shard.epoch + 1) if taken.rowcount else None


def _free_shard(connection: Connection, job: JobId, free: ColumnElement[bool]) -> int | None:
    """Return the first shard that is free, and that no other is about to take."""
    return connection.scalar(
        select(shards.c.number)
        .where(shards.c.job == job, free)
        .order_by(shards.c.number)
        .limit(1)
        .with_for_update(skip_locked=True)
    )


def _choose_shard(
    connection: Connection, job: JobId, free: ColumnElement[bool], after: Shard | None
) -> int:
    """Return the number of the free shard that is leased next; there is one.

    A lane goes on behind its last shard, where its prefix goes on, or at the same place of the next
    wave, where lines go on from its answers. One that cannot begins where most is free: at the
    start, or in the middle if another lane is about to come to the start.
    """
    if after is not None and after.job == job:
        next_ones = [after.number + 1, after.number + WAVE_SHARDS]
        following = (
            select(shards.c.number)
            .where(shards.c.job == job, shards.c.number.in_(next_ones), free)
            .order_by(shards.c.number)
            .limit(1)
        )
        if (number := connection.scalar(following)) is not None:
            return int(number)
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
    """Prolong the leases that still count; see `JobRows.renew`."""
    found = read_held(connection, leases)
    held = [lease for lease in leases if key_of(lease) in found]
    for lease in held:
        connection.execute(update(shards).where(_is_held(lease)).values(lease_expires=expires))
    return [replace(lease, expires=expires) for lease in held]


def give_back_lease(connection: Connection, lease: Lease) -> None:
    """End the lease if it is still held."""
    connection.execute(update(shards).where(_is_held(lease)).values(owner=None, lease_expires=None))


def owners_of_leases(connection: Connection) -> set[str]:
    """Return who holds a shard, whether or not the lease has lapsed."""
    query = select(shards.c.owner).where(shards.c.owner.is_not(None)).distinct()
    return set(connection.scalars(query))


def end_leases_of(connection: Connection, owners: Collection[str]) -> int:
    """End every lease of the owners and return how many there were."""
    return connection.execute(
        update(shards).where(shards.c.owner.in_(owners)).values(owner=None, lease_expires=None)
    ).rowcount


def _is_held(lease: Lease) -> ColumnElement[bool]:
    return and_(
        shards.c.job == lease.job.id,
        shards.c.number == lease.shard.number,
        shards.c.epoch == lease.shard.epoch,
        shards.c.owner == lease.owner,
    )


def key_of(lease: Lease) -> tuple[JobId, int, int, str]:
    """Return the key of the lease among all, earlier ones of its shard included."""
    return lease.job.id, lease.shard.number, lease.shard.epoch, lease.owner


def read_held(
    connection: Connection, leases: Sequence[Lease]
) -> dict[tuple[JobId, int, int, str], Shard]:
    """Return the shards whose leases still count: not taken over, and their jobs go on."""
    columns = tuple_(shards.c.job, shards.c.number, shards.c.epoch, shards.c.owner)
    rows = connection.execute(
        select(shards)
        .join(jobs, jobs.c.id == shards.c.job)
        .where(
            columns.in_([key_of(lease) for lease in leases]),
            is_visible(),
            jobs.c.state == JobState.RUNNING,
        )
        # Not the rows of jobs: whoever counts locks these later, and checks the state again.
        .order_by(shards.c.job, shards.c.number)
        .with_for_update(of=shards)
    )
    return {(JobId(row.job), row.number, row.epoch, row.owner): shard_of(row) for row in rows}
