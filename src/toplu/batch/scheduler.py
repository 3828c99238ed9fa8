"""Hop 4: which shard the free lanes of an engine work on next.

The policy is the simplest that is right: one job after another, oldest first, shards in
input order. The policy itself is one ORDER BY in `store`, so that choosing and taking are one
transaction; this is the place where another would be decided.
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

    async def lease_shard(self, engine: str) -> Lease | None:
        """Return the next shard for the engine, or None when nothing waits for it."""
        now = self._clock.now()
        lease = await self._jobs.lease_shard(
            engine=engine, owner=self._owner, now=now, expires=now + self._life
        )
        if lease is not None:
            log.info(
                "shard_leased", job=lease.job.id, shard=lease.shard.number, epoch=lease.shard.epoch
            )
        return lease

    async def renew(self, leases: list[Lease]) -> list[Lease]:
        """Prolong the leases; return those that are still ours."""
        return await self._jobs.renew(leases, expires=self._clock.now() + self._life)

    async def give_back(self, lease: Lease) -> None:
        """Let another worker have the shard at once."""
        await self._jobs.give_back(lease)
