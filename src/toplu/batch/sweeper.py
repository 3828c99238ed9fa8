"""Removes from a bucket what no row names: what a crash left, or a stale worker put afterwards.

Who is about to write the row has a day for it, by the bucket's own clock. In a folder the same is
done at the start, by who has it alone: see `batch.recovery`.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog

from toplu.batch import paths
from toplu.files.parts.part import FILES
from toplu.store.blobs.blobs import Blobs
from toplu.store.rows.holdings import Holdings
from toplu.store.rows.jobs import JobRows

log = structlog.get_logger()

PAUSE = timedelta(days=1)


class Sweeper:
    """Looks through the bucket once a day."""

    def __init__(
        self, *, blobs: Blobs, jobs: JobRows, holdings: Callable[[], Awaitable[Holdings]]
    ) -> None:
        self._blobs = blobs
        self._jobs = jobs
        self._holdings = holdings
        self._next: datetime | None = None

    async def sweep(self, now: datetime) -> None:
        """Remove what there is, if it is time to look."""
        if not self._blobs.is_remote or (self._next is not None and now < self._next):
            return
        await self._remove(paths.JOBS, set(await self._jobs.known()))
        held = await self._holdings()
        files = {blob.partition("/")[2] for blob in held.blobs if blob.startswith(f"{FILES}/")}
        await self._remove(FILES, files | held.uploads)
        self._next = now + PAUSE

    async def _remove(self, folder: str, known: set[str]) -> None:
        for name in await self._blobs.abandoned(folder, known):
            log.info("unnamed_bytes_removed", folder=folder, name=name)
            await self._blobs.delete_folder(f"{folder}/{name}")
