"""The client changes its mind: a job is cancelled or deleted."""

from collections.abc import Callable

import structlog

from toplu.batch.lookup import MISSING
from toplu.batch.loop import Wakeup
from toplu.clock import Clock
from toplu.errors import Cancelled, NotFound
from toplu.job import JobId, JobState, ProjectId
from toplu.store.rows.jobs import JobRows

log = structlog.get_logger()


class JobCancellation:
    """Stops jobs; the state moves first, and whatever runs is stopped after."""

    def __init__(
        self, *, clock: Clock, jobs: JobRows, drop_job: Callable[[JobId], None], deleted: Wakeup
    ) -> None:
        self._clock = clock
        self._jobs = jobs
        self._drop_job = drop_job
        self._deleted = deleted

    async def cancel(self, project: ProjectId, job: JobId) -> None:
        """Start no further request of the batch; what is done is kept.

        Cancelling a job that is final changes nothing and is no error: two tabs, a retry.
        """
        if await self._jobs.find(project, job) is None:
            raise NotFound(MISSING)
        reason = Cancelled("The batch was cancelled by the user.").as_request_error()
        now = self._clock.now()
        for moved in await self._jobs.move_batch(job, JobState.CANCELLED, now, error=reason):
            log.info("job_cancelled", job=moved.id)
            self._drop_job(moved.id)

    async def delete(self, project: ProjectId, job: JobId) -> None:
        """Stop the batch and forget it with its input, its results and its results files."""
        deleted = await self._jobs.mark_deleted(project, job, self._clock.now())
        if not deleted:
            raise NotFound(MISSING)
        for gone in deleted:
            log.info("job_deleted", job=gone.id)
            self._drop_job(gone.id)
        self._deleted.set()
