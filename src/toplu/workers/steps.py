"""Takes the steps of jobs in one worker's name, so that no two workers do the same at once."""

from collections.abc import Collection

import structlog

from toplu.clock import Clock
from toplu.job import Job, JobId
from toplu.store.rows.steps import StepKind, StepRows
from toplu.workers.storage_faults import StorageFaults

__all__ = ["StepKind", "Steps"]

log = structlog.get_logger()


class Steps:
    """The steps that one worker takes; its heartbeat keeps them from lapsing."""

    def __init__(self, *, clock: Clock, rows: StepRows, worker: str, faults: StorageFaults) -> None:
        self._clock = clock
        self._rows = rows
        self._worker = worker
        self._faults = faults

    async def take(self, kind: StepKind, except_for: Collection[JobId] = ()) -> Job | None:
        """Return the oldest job that is due for the step, which is this worker's from then on."""
        now = self._clock.now()
        job = await self._rows.next(kind, self._worker, now, except_for)
        # Nothing is written where there is nothing to do, or where it is this worker's already.
        if job is None or await self._rows.holds(kind, job.id, self._worker, now):
            return job
        try:
            return await self._rows.take(kind, self._worker, now, except_for)
        except OSError as fault:
            self._faults.note(job.id, fault)
            raise

    async def give_back(self, kind: StepKind, job: JobId) -> None:
        """Let another worker try it; what cannot be written lapses, or is tried here again."""
        try:
            await self._rows.give_back(kind, job, self._worker)
        except OSError as fault:
            log.warning("step_not_given_back", job=job, reason=fault.strerror)
