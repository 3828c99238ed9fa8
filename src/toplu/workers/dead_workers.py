"""Finds the workers that are dead, and ends what they hold: leases, rows, files."""

import asyncio
from datetime import timedelta

import structlog

from toplu.store.rows.workers import WorkerRows
from toplu.store.worker_lives import WorkerLives

log = structlog.get_logger()

ROUND = timedelta(seconds=5)


class DeadWorkers:
    """Looked for at a worker's start, and every five seconds."""

    def __init__(self, *, rows: WorkerRows, lives: WorkerLives, worker: str) -> None:
        self._rows = rows
        self._lives = lives
        self._worker = worker

    async def step(self) -> timedelta:
        """Look once."""
        await self.end()
        return ROUND

    async def end(self) -> None:
        """End what dead workers hold: others may have it at once."""
        # A worker lives before it holds anything: whoever holds and is found dead after, is.
        owners = await self._rows.owners()
        if dead := await asyncio.to_thread(self._dead, owners):
            leases = await self._rows.end(dead)
            for worker in dead:
                await asyncio.to_thread(self._lives.forget, worker)
            log.info("dead_workers_ended", workers=dead, leases=leases)

    def _dead(self, owners: set[str]) -> list[str]:
        known = (owners | self._lives.known()) - {self._worker}
        return sorted(worker for worker in known if not self._lives.lives(worker))
