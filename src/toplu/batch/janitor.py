"""Ends what is over time and clears away what is no longer needed.

Everything here is done in an order that a crash at any point leaves to be done again.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog

from toplu.batch import paths
from toplu.batch.loop import AFTER_A_FAULT, AT_ONCE
from toplu.caches.keeper import CacheKeeper
from toplu.clock import Clock
from toplu.errors import DeadlineExceeded
from toplu.files.library import Library
from toplu.job import Job, JobId, JobState
from toplu.projects.audit_log import AuditLog
from toplu.settings.server import Settings
from toplu.store.blobs.blobs import Blobs
from toplu.store.blobs.results import Results
from toplu.store.rows.deliveries import DeliveryRows
from toplu.store.rows.jobs import JobRows

log = structlog.get_logger()

ROUND = timedelta(seconds=30)


class Janitor:
    """Makes its round every half minute, when a batch expires, or when one was deleted."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        jobs: JobRows,
        deliveries: DeliveryRows,
        library: Library,
        caches: CacheKeeper,
        blobs: Blobs,
        results: Results,
        audit: AuditLog,
        sweep: Callable[[datetime], Awaitable[None]],
        drop_job: Callable[[JobId], None],
        delete_projects: Callable[[datetime], Awaitable[bool]],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._jobs = jobs
        self._deliveries = deliveries
        self._library = library
        self._caches = caches
        self._blobs = blobs
        self._results = results
        self._audit = audit
        self._sweep = sweep
        self._drop_job = drop_job
        self._delete_projects = delete_projects  # a bounded part; returns whether there is more

    async def step(self) -> timedelta:
        """Make one round."""
        now = self._clock.now()
        delay = None
        parts: tuple[Callable[[datetime], Awaitable[bool | None]], ...] = (
            *(self._expire_jobs, self._clear_deleted_jobs, self._delete_projects),
            *(self._library.forget_expired, self._caches.forget_gone),
            *(self._forget_deeds, self._forget_deliveries, self._sweep),
        )
        for part in parts:
            try:
                if await part(now):
                    delay = delay or AT_ONCE
            except OSError as fault:
                # On a full disk none may hold up the others: each may give space back.
                log.warning("clearing_failed", reason=fault.strerror)
                delay = AFTER_A_FAULT
        return await self._until_next_round() if delay is None else delay

    async def _expire_jobs(self, now: datetime) -> None:
        for job in await self._jobs.expired(now):
            await self._expire(job)

    async def _clear_deleted_jobs(self, now: datetime) -> None:
        # Bytes go before rows are written, which needs space.
        for job_id in await self._jobs.deleted():
            await self._remove_bytes(job_id)
        result_life = timedelta(seconds=self._settings.result_life_seconds)
        for job in await self._jobs.ended_before(now - result_life):
            await self._jobs.mark_deleted(job.project, job.id, now)
        for job_id in await self._jobs.deleted():
            await self._remove_bytes(job_id)
            await self._jobs.forget(job_id)

    async def _forget_deeds(self, now: datetime) -> None:
        life = timedelta(seconds=self._settings.audit_life_seconds)
        while await self._audit.forget_before(now - life):
            pass

    async def _forget_deliveries(self, now: datetime) -> None:
        life = timedelta(seconds=self._settings.webhooks.delivery_life_seconds)
        await self._deliveries.forget_ended(now - life)

    async def _until_next_round(self) -> timedelta:
        """Return how long until something expires, half a minute at most.

        A batch that is made meanwhile cannot expire before that, whatever its life.
        """
        longest = min(ROUND, timedelta(seconds=self._settings.job_life_seconds))
        expires = await self._jobs.next_expiry()
        if expires is None:
            return longest
        return max(AT_ONCE, min(longest, expires - self._clock.now()))

    async def _expire(self, job: Job) -> None:
        hours = (job.expires - job.created) / timedelta(hours=1)
        reason = DeadlineExceeded(
            f"The batch expired after {hours:g} hours: its deadline passed before every request "
            f"was answered. GET batches/{job.batch}:results reads what is done, and POST "
            f"batches/{job.batch}:retry runs the rest as a new batch."
        )
        moved = await self._jobs.move(
            job.id, JobState.EXPIRED, self._clock.now(), error=reason.as_request_error()
        )
        if moved is not None:
            log.info("job_expired", job=job.id)
            self._drop_job(job.id)

    async def _remove_bytes(self, job: JobId) -> None:
        await self._results.delete_job(job)
        await self._blobs.delete_folder(paths.folder(job))
