"""The workers that are there, what their engines are and do, as every process reads it in rows."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from toplu.clock import Clock
from toplu.job import JobId
from toplu.replica import Capacity, EngineState, Replica
from toplu.store.rows.workers import Report, Worker, WorkerRows
from toplu.workers.heartbeat import BEAT
from toplu.workers.storage_faults import reason_of

__all__ = ["EngineState", "Worker"]

GOOD_FOR = timedelta(seconds=1)
SILENT = 3 * BEAT  # of a worker that lives: it cannot write, if nobody can
# Of several replicas, the one that is told of.
BEST_FIRST = (
    EngineState.READY,
    EngineState.IDLE,
    EngineState.STARTING,
    EngineState.DOWN,
    EngineState.GIVEN_UP,
    EngineState.STOPPED,
)


class Present:
    """The workers that live, at one moment."""

    def __init__(self, reports: Sequence[Report], fault: str | None = None) -> None:
        self._reports = reports
        self._fault = fault

    @property
    def workers(self) -> list[Worker]:
        """Return the workers, the oldest first."""
        return [report.worker for report in self._reports]

    def with_engine(self, engine: str) -> list[Worker]:
        """Return the workers that have a replica of the engine, the oldest first."""
        return [it.worker for it in self._reports if any(_of(it, engine))]

    def states(self) -> dict[str, EngineState]:
        """Return where each engine stands: its best replica."""
        return {engine: best.state for engine, best in self._best().items()}

    def reasons(self) -> dict[str, str]:
        """Return why engines are not ready, or get no further."""
        return {engine: best.reason for engine, best in self._best().items() if best.reason}

    def replicas(self, engine: str) -> list[Replica]:
        """Return what each worker has of the engine."""
        return [replica for report in self._reports for replica in _of(report, engine)]

    def capacities(self, engine: str, besides: str | None = None) -> list[Capacity]:
        """Return that of each replica of the engine, but for that of the worker `besides`."""
        reports = [report for report in self._reports if report.worker.id != besides]
        return [replica.capacity for report in reports for replica in _of(report, engine)]

    def fault_of(self, job: JobId) -> str | None:
        """Return why the job cannot be written, if so."""
        faults = [it.faults[job] for it in self._reports if job in it.faults]
        return faults[0] if faults else self._fault

    def _best(self) -> Mapping[str, Replica]:
        replicas = [replica for report in self._reports for replica in report.replicas]
        replicas.sort(key=lambda it: BEST_FIRST.index(it.state), reverse=True)
        return {replica.engine: replica for replica in replicas}


class Roster:
    """Reads who is there; that is good for a second."""

    def __init__(
        self, *, clock: Clock, rows: WorkerRows, lives: Callable[[str], bool] = lambda _: True
    ) -> None:
        self._clock = clock
        self._rows = rows
        self._lives = lives  # a worker, by its id
        self._known: tuple[datetime, Present] | None = None
        self._reading = asyncio.Lock()

    def forget(self) -> None:
        """Read again at the next question: there is something new."""
        self._known = None

    async def present(self) -> Present:
        """Return who is there."""
        async with self._reading:
            now = self._clock.now()
            # The clock may have been put back.
            if self._known is not None and self._known[0] <= now < self._known[0] + GOOD_FOR:
                return self._known[1]
            reports = [it for it in await self._rows.reports() if self._lives(it.worker.id)]
            present = Present(reports, await self._fault(reports, now))
            self._known = now, present
            return present

    async def _fault(self, reports: Iterable[Report], now: datetime) -> str | None:
        """Return why nothing can be written, if a worker that lives has long not been."""
        if all(report.worker.seen + SILENT > now for report in reports):
            return None
        try:
            await self._rows.touch()
        except OSError as fault:
            return reason_of(fault)
        return None


def _of(report: Report, engine: str) -> list[Replica]:
    return [replica for replica in report.replicas if replica.engine == engine]
