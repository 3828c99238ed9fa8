"""Keeps the rows of one worker fresh, so that the others know what it is and does.

Where machines share the rows, a worker that cannot write them will be thought dead, and others
take over what it has. It begins nothing more before they do.
"""

import math
from collections.abc import Callable, Sequence
from datetime import timedelta

import structlog

from toplu.clock import Clock
from toplu.replica import Replica
from toplu.store.rows.workers import Report, Worker, WorkerRows
from toplu.workers.lanes_at_work import LanesAtWork
from toplu.workers.storage_faults import StorageFaults

log = structlog.get_logger()

BEAT = timedelta(seconds=2)
CUT_OFF_SECONDS = 8.0  # after the last beat that was written; see `dead_workers.LIFE`


class Heartbeat:
    """Writes a report every two seconds, and at once when an engine's state changes."""

    def __init__(
        self,
        *,
        clock: Clock,
        rows: WorkerRows,
        worker: str,
        replicas: Callable[[], Sequence[Replica]],
        at_work: LanesAtWork,
        faults: StorageFaults,
        written: Callable[[], None],
        door: str | None = None,
    ) -> None:
        self._clock = clock
        self._rows = rows
        self._worker = worker
        self._replicas = replicas
        self._at_work = at_work
        self._faults = faults
        self._written = written  # called when others may read what is new
        self._door = door
        self._started = clock.now()
        self._written_at = -math.inf  # at the latest

    async def begin(self) -> None:
        """Write a report where others go by that alone, before this worker holds anything."""
        if self._rows.are_shared:
            await self.step()

    async def step(self) -> timedelta:
        """Write what this worker is and does."""
        asked = self._clock.elapsed()
        await self._rows.report(
            Report(
                worker=Worker(
                    id=self._worker, door=self._door, started=self._started, seen=self._clock.now()
                ),
                replicas=self._replicas(),
                at_work=self._at_work.all(),
                faults=self._faults.all(),
            )
        )
        self._written_at = asked
        self._written()
        return BEAT

    def is_cut_off(self) -> bool:
        """Return whether others may soon take over what this worker has."""
        silent = self._clock.elapsed() - self._written_at
        return self._rows.are_shared and silent > CUT_OFF_SECONDS

    async def end(self) -> None:
        """Take everything back that this worker holds, at its end."""
        try:
            await self._rows.end([self._worker])
        except OSError as fault:
            # Whoever comes next finds it dead.
            log.warning("worker_not_taken_back", reason=fault.strerror)
        self._written()
