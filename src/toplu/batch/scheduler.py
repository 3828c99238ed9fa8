"""Hop 4: which shard a lane of an engine works on next.

Which job is policy: the oldest that has a free shard. Which shard of it follows from the order
of the requests, see `store.leases`: the one behind the lane's last, or one far from all others.
Choosing and taking are one transaction.
"""

from datetime import timedelta

import structlog

from toplu.clock import Clock
from toplu.job import Lease
from toplu.settings import Settings
from toplu.store.jobs import Jobs

log = structlog.get_logger()


class Scheduler:
    """Hands out leases in this server's name and keeps them alive."""

    def __init__(self, *, settings: Settings, clock: Clock, jobs: Jobs, owner: str) -> None:
        self._clock = clock
        self._jobs = jobs
        self._owner = owner
        self._life = timedelta(seconds=settings.lease_seconds)

    @property
    def renewal(self) -> timedelta:
        """How often leases must be renewed: two renewals may fail before one lapses."""
        return self._life / 3

    async def lease_shard(self, engine: str, lane: int, after: Lease | None = None) -> Lease | None:
        """Return the next shard for a lane of the engine, or None when nothing waits for it.

        `after` is the lease that the lane worked under last.
        """
        now = self._clock.now()
        lease = await self._jobs.lease_shard(
            engine=engine,
            owner=self._owner,
            now=now,
            expires=now + self._life,
            after=None if after is None else after.shard,
        )
        if lease is not None:
            log.info(
                "shard_leased",
                job=lease.job.id,
                shard=lease.shard.number,
                epoch=lease.shard.epoch,
                lane=lane,
            )
        return lease

    async def renew(self, leases: list[Lease]) -> list[Lease]:
        """Prolong the leases; return those that are still ours."""
        return await self._jobs.renew(leases, expires=self._clock.now() + self._life)

    async def give_back(self, lease: Lease) -> None:
        """Let another worker have the shard at once."""
        await self._jobs.give_back(lease)
