"""A job that cannot run as a whole becomes FAILED, with its reason."""

import structlog

from toplu.clock import Clock
from toplu.errors import TopluError
from toplu.job import JobId, JobState
from toplu.store.rows.jobs import JobRows

log = structlog.get_logger()


async def fail_job(jobs: JobRows, clock: Clock, job: JobId, error: TopluError) -> None:
    """Move the job to FAILED, unless it is final or gone."""
    log.error("job_failed", job=job, reason=error.message)
    await jobs.move(job, JobState.FAILED, clock.now(), error=error.as_request_error())
