"""Finds the workers that are dead, and ends what they hold: leases, rows, files.

Of this machine's the locks of their files say it at once. Workers of other machines are dead when
they have been silent for longer than a life; whoever was itself out of contact judges nobody until
it has had as much of it again, else the first one back would end what all others hold.
"""

import asyncio
from datetime import timedelta

import structlog

from toplu.clock import Clock
from toplu.store.rows.workers import WorkerRows
from toplu.store.worker_lives import WorkerLives

log = structlog.get_logger()

ROUND = timedelta(seconds=5)
ROUND_OF_SILENT = timedelta(seconds=1)
LIFE = timedelta(seconds=10)  # of a worker of another machine that is silent
GAP_SECONDS = 3.0  # between two looks: longer ones are no contact


class DeadWorkers:
    """Looked for at a worker's start, and every few seconds."""

    def __init__(
        self,
        *,
        clock: Clock,
        rows: WorkerRows,
        lives: WorkerLives,
        worker: str,
    ) -> None:
        self._rows = rows
        self._lives = lives
        self._worker = worker
        self._clock = clock
        self._looked: float | None = None  # without a fault
        self._in_contact_since = 0.0

    async def step(self) -> timedelta:
        """Look once."""
        await self.end()
        return ROUND_OF_SILENT if self._rows.are_shared else ROUND

    async def end(self) -> None:
        """End what dead workers hold: others may have it at once."""
        if dead := await self._find():
            leases = await self._rows.end(dead)
            for worker in dead:
                await asyncio.to_thread(self._lives.forget, worker)
            log.info("dead_workers_ended", workers=dead, leases=leases)

    async def _find(self) -> list[str]:
        if self._rows.are_shared:
            found = await asyncio.to_thread(self._unlocked, set())
            return sorted({*found, *await self._silent()} - {self._worker})
        # A worker lives before it holds anything: whoever holds and is found dead after, is.
        owners = await self._rows.owners()
        return sorted(await asyncio.to_thread(self._unlocked, owners) - {self._worker})

    def _unlocked(self, owners: set[str]) -> set[str]:
        known = owners | self._lives.known()
        return {worker for worker in known if not self._lives.lives(worker)}

    async def _silent(self) -> set[str]:
        silent = await self._rows.silent()
        now = self._clock.elapsed()
        if self._looked is None or now - self._looked > GAP_SECONDS:
            self._in_contact_since = now
        self._looked = now
        return silent if now - self._in_contact_since >= LIFE.total_seconds() else set()
