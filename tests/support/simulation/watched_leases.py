"""Every lease is of a shard that nobody held, and every count is of the last lease."""

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

from sqlalchemy import Connection, select

from support.simulation.capped import check_lease
from support.simulation.checkers import hold
from toplu.store.rows import jobs, leases
from toplu.store.rows.schema import shards


@contextlib.contextmanager
def leases_watched() -> Iterator[None]:
    """Raise Violated at the lease or the count that is not."""
    lease_shard, record_progress = leases.lease_shard, jobs.record_progress

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
            check_lease(connection, lease.job, question["now"])
            hold(that=not lease.job.paused, so=f"{lease.job.id} is paused, and was leased")
        return lease

    def watched_record(connection: Connection, group: Any, at: Any) -> Any:
        epochs = {(row.job, row.number): row.epoch for row in connection.execute(select(shards))}
        lost = record_progress(connection, group, at)
        for progress in group:
            if progress.lease not in lost:
                shard = progress.lease.shard
                epoch = epochs[shard.job, shard.number]
                so = f"{shard.job}/{shard.number}: epoch {shard.epoch} counted, {epoch} was leased"
                hold(that=epoch == shard.epoch, so=so)
        return lost

    with (
        mock.patch.object(leases, "lease_shard", watched_lease),
        mock.patch.object(jobs, "record_progress", watched_record),
    ):
        yield
