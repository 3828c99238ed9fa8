"""Cancels, retries, deletes and downloads batches on the page, as their own API does it."""

from collections.abc import Sequence
from urllib.parse import quote

from starlette.responses import Response

from toplu.api.dashboard.gate import VERSION, Visit
from toplu.api.gemini.batch_extensions import CREATED_BY, BatchExtensionsApi
from toplu.api.gemini.model_names import ModelNames
from toplu.api.openai.batch.retried import RetriedLines
from toplu.api.openai.batches import OpenaiBatches
from toplu.batch.jobs.cancel import JobCancellation
from toplu.batch.jobs.retry import JobRetry, Rest
from toplu.batch.jobs.update import JobUpdate
from toplu.batch.lookup import Lookup
from toplu.job import Job, JobId, ProjectId, Wire


class BatchDeeds:
    """Cancels, retries, deletes and downloads batches, whichever API they came by."""

    def __init__(
        self,
        *,
        names: ModelNames,
        lookup: Lookup,
        cancellation: JobCancellation,
        update: JobUpdate,
        retry: JobRetry,
        gemini: BatchExtensionsApi,
        openai: OpenaiBatches,
    ) -> None:
        self._names = names
        self._lookup = lookup
        self._cancellation = cancellation
        self._update = update
        self._retry = retry
        self._gemini = gemini
        self._openai = openai

    async def cancel(self, project: ProjectId, batch: JobId) -> None:
        """Start no further request of the batch."""
        await self._cancellation.cancel(project, batch)

    async def pause(self, project: ProjectId, batch: JobId, *, paused: bool) -> None:
        """Begin nothing more of the batch, or go on with it."""
        await self._update.pause(project, batch, paused=paused)

    async def delete(self, project: ProjectId, batch: JobId) -> None:
        """Stop the batch and forget it."""
        await self._cancellation.delete(project, batch)

    async def retry(self, jobs: Sequence[Job], *, merge: bool) -> JobId:
        """Return the new batch of what failed or was not reached, or with `merge` of all."""
        rests = [Rest(job=job, engine=self._engine_of(job)) for job in jobs]
        lines = RetriedLines() if jobs[0].wire is Wire.OPENAI else None
        made = await self._retry.create_batch(
            rests, lines=lines, display_name=jobs[0].display_name, merge=merge
        )
        return made.id

    async def results(self, visit: Visit) -> Response:
        """Send the results so far as a file of JSON lines."""
        job = await self._lookup.find(visit.project, JobId(visit.path("batch")))
        api = self._openai if job.wire is Wire.OPENAI else self._gemini
        return _as_file(await api.results(visit.as_call()), f"{_name_of(job)}.jsonl")

    async def receipt(self, visit: Visit) -> Response:
        """Send the receipt as a JSON file."""
        job = await self._lookup.find(visit.project, JobId(visit.path("batch")))
        api = self._openai if job.wire is Wire.OPENAI else self._gemini
        return _as_file(await api.receipt(visit.as_call()), f"{_name_of(job)}-receipt.json")

    def _engine_of(self, job: Job) -> str:
        method = CREATED_BY[job.method]
        return self._names.require(job.model, version=VERSION, method=method).name


def _name_of(job: Job) -> str:
    return f"{job.display_name or 'batch'}-{job.id[:8]}"


def _as_file(response: Response, name: str) -> Response:
    """Return the response as one that a browser keeps and does not show."""
    response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
