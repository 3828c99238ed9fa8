"""Every lease is of a shard that nobody held, and every count is of the last lease."""

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

from checkers import hold
from sqlalchemy import Connection, and_, select

from toplu.store import leases
from toplu.store.schema import shards


@contextlib.contextmanager
def leases_watched() -> Iterator[None]:
    """Raise Violated at the lease or the count that is not."""
    lease_shard, record_one = leases.lease_shard, leases._record_one

    def watched_lease(connection: Connection, **question: Any) -> Any:
        held = {
            (row.job, row.number): (row.owner, row.lease_expires)
            for row in connection.execute(select(shards))
        }
        lease = lease_shard(connection, **question)
        if lease is not None:
            owner, expires = held[lease.job.id, lease.shard.number]
            is_free = owner is None or expires <= question["now"]
            hold(that=is_free, so=f"{lease.job.id}/{lease.shard.number} was held by {owner}")
        return lease

    def watched_record(connection: Connection, progress: Any, at: Any) -> bool:
        shard = progress.lease.shard
        is_it = and_(shards.c.job == shard.job, shards.c.number == shard.number)
        epoch = connection.scalar(select(shards.c.epoch).where(is_it))
        counted: bool = record_one(connection, progress, at)
        so = f"{shard.job}/{shard.number}: epoch {shard.epoch} counted while {epoch} was leased"
        hold(that=not counted or epoch == shard.epoch, so=so)
        return counted

    with (
        mock.patch.object(leases, "lease_shard", watched_lease),
        mock.patch.object(leases, "_record_one", watched_record),
    ):
        yield
