"""Finds the workers that are dead, and ends what they hold: leases, and what rows say of them."""

from collections.abc import Callable

import structlog

from toplu.store.rows.workers import WorkerRows

log = structlog.get_logger()


class DeadWorkers:
    """Asked at a worker's start, when somebody saw a death, and now and then."""

    def __init__(self, *, rows: WorkerRows, worker: str, lives: Callable[[str], bool]) -> None:
        self._rows = rows
        self._worker = worker
        self._lives = lives  # a worker, by its id

    async def end(self) -> None:
        """End what dead workers hold: others may have it at once."""
        # A worker lives before it holds anything, so that whoever is found dead now was so then.
        owners = await self._rows.owners() - {self._worker}
        if dead := sorted(owner for owner in owners if not self._lives(owner)):
            leases = await self._rows.end(dead)
            log.info("dead_workers_ended", workers=dead, leases=leases)
