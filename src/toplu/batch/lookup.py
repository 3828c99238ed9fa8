"""Hop 8: what a client may see of its jobs; each poll is one row, however large the job."""

from toplu.batch import paths
from toplu.errors import NotFound
from toplu.job import Job, JobId, ProjectId
from toplu.store.blobs.blobs import Blobs
from toplu.store.rows.jobs import JobRows, PageMark

MISSING = "Requested entity was not found."


class Lookup:
    """Finds jobs, and the results of those that answer inline."""

    def __init__(self, *, jobs: JobRows, blobs: Blobs) -> None:
        self._jobs = jobs
        self._blobs = blobs

    async def find(self, project: ProjectId, job: JobId) -> Job:
        """Return the job; one of another project is as missing as one that never was."""
        found = await self._jobs.find(project, job)
        if found is None:
            raise NotFound(MISSING)
        return found

    async def page(
        self, project: ProjectId, *, size: int, token: str | None
    ) -> tuple[list[Job], str | None]:
        """Return up to `size` jobs, newest first, and the token of the next page if there is one.

        One job more than asked for is read, so that a token never leads to an empty page.
        """
        after = None if token is None else PageMark.of_token(token)
        jobs = await self._jobs.page(project, size + 1, after)
        if len(jobs) <= size:
            return jobs, None
        last = jobs[size - 1]
        return jobs[:size], PageMark(last.created, last.id).token

    async def results(self, job: JobId) -> list[bytes]:
        """Return the written results of an inline job that succeeded, in input order."""
        try:
            chunks = [chunk async for chunk in self._blobs.stream(paths.output_lines(job))]
        except FileNotFoundError:
            raise NotFound(MISSING) from None  # deleted since the job was found
        output = b"".join(chunks)
        return output.splitlines()
