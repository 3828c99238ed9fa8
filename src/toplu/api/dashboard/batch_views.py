"""Reads batches for pages, each with what it waits for."""

from toplu.api.dashboard.views import BatchView
from toplu.batch.lookup import Lookup
from toplu.batch.schedule.wait_reason import WaitReasons
from toplu.job import Job, JobId, ProjectId


class BatchViews:
    """Finds batches, whichever API they came by."""

    def __init__(self, *, lookup: Lookup, wait_reasons: WaitReasons) -> None:
        self._lookup = lookup
        self._wait_reasons = wait_reasons

    async def page(
        self, project: ProjectId, behind: str | None, *, size: int
    ) -> tuple[list[BatchView], bool]:
        """Return the batches behind one, the newest first, and whether there are more."""
        last = None if behind is None else await self._lookup.find(project, JobId(behind))
        batches, more = await self._lookup.page_behind(project, last, size=size, wire=None)
        return [await self._view(jobs) for jobs in batches], more

    async def find(self, project: ProjectId, batch: str) -> BatchView:
        """Return one batch; NotFound: there is none of the project."""
        return await self._view(await self._lookup.batch(project, JobId(batch)))

    async def _view(self, jobs: list[Job]) -> BatchView:
        unfinished = next((job for job in jobs if not job.is_final), jobs[0])
        return BatchView.of(jobs, await self._wait_reasons.of(unfinished))
