"""Keeps the rows of one worker fresh, so that the others know what it is and does."""

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

    async def begin(self) -> None:
        """Write a report where others go by that alone, before this worker holds anything."""
        if self._rows.are_shared:
            await self.step()

    async def step(self) -> timedelta:
        """Write what this worker is and does."""
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
        self._written()
        return BEAT

    async def end(self) -> None:
        """Take everything back that this worker holds, at its end."""
        try:
            await self._rows.end([self._worker])
        except OSError as fault:
            # Whoever comes next finds it dead.
            log.warning("worker_not_taken_back", reason=fault.strerror)
        self._written()
