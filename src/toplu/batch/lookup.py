"""Hop 8: what a client may see of its jobs; a poll is a row for each, however large it is."""

from collections.abc import AsyncIterator

from toplu.batch import paths
from toplu.deed import Action
from toplu.errors import NotFound
from toplu.job import Job, JobId, ProjectId, Wire
from toplu.projects.audit_log import AuditLog
from toplu.store.blobs.blobs import Blobs
from toplu.store.rows.jobs import JobRows
from toplu.store.rows.pages import PageMark, cut_page

MISSING = "Requested entity was not found."


class Lookup:
    """Finds jobs, and the output of those that succeeded."""

    def __init__(self, *, jobs: JobRows, blobs: Blobs, audit: AuditLog) -> None:
        self._jobs = jobs
        self._audit = audit
        self._blobs = blobs

    async def find(self, project: ProjectId, job: JobId) -> Job:
        """Return the job; one of another project is as missing as one that never was."""
        found = await self._jobs.find(project, job)
        if found is None:
            raise NotFound(MISSING)
        return found

    async def batch(self, project: ProjectId, job: JobId) -> list[Job]:
        """Return the jobs of the batch, a job for each engine; NotFound as for `find`."""
        found = await self._jobs.batches(project, [job])
        if job not in found:
            raise NotFound(MISSING)
        return found[job]

    async def page(
        self, project: ProjectId, *, size: int, token: str | None
    ) -> tuple[list[Job], str | None]:
        """Return up to `size` jobs, newest first, and the token of the next page if any."""
        after = None if token is None else PageMark.of_token(token)
        return await self._page(project, size, after, Wire.GEMINI)

    async def page_behind(
        self, project: ProjectId, last: Job | None, *, size: int, wire: Wire | None
    ) -> tuple[list[list[Job]], bool]:
        """Return the page of batches behind one, and whether there is another.

        They are those of an API, or of any.
        """
        after = None if last is None else PageMark.of(last)
        jobs, next_token = await self._page(project, size, after, wire)
        found = await self._jobs.batches(project, [job.id for job in jobs])
        # One may have been deleted between the two reads.
        return [found[job.id] for job in jobs if job.id in found], next_token is not None

    async def _page(
        self, project: ProjectId, size: int, after: PageMark | None, wire: Wire | None
    ) -> tuple[list[Job], str | None]:
        return cut_page(await self._jobs.page(project, size + 1, after, wire=wire), size)

    async def note_reading(self, job: Job) -> None:
        """Have the audit log say that the results are read of the batch."""
        await self._audit.note_reading(Action.BATCH_READ, job.project, f"batches/{job.batch}")

    async def output(self, job: Job) -> AsyncIterator[bytes]:
        """Return the written results of a job that succeeded, in input order, piece by piece.

        They are open once this returns: what is deleted meanwhile is read to its end.
        """
        pieces = self._blobs.stream(paths.output_lines(job.id))
        try:
            first = await anext(pieces, b"")
        except FileNotFoundError:
            raise NotFound(MISSING) from None  # deleted since the job was found
        return _resumed(first, pieces)


async def _resumed(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece
