"""The contract of where results are kept as they come, each lease of a shard by itself.

A result is there once `append_all` has returned; the rows follow. `ResultLog` keeps them in files
of a folder, `BucketResults` in objects of a bucket; both are read as files, as a `ResultLog`.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from toplu.job import JobId
from toplu.store.blobs.result_log import Addition, ResultLog, Segment


class Results(Protocol):
    """A store of results."""

    async def append_all(self, additions: Sequence[Addition]) -> list[int | Exception]:
        """Make the records durable; return where each addition ends, or what kept it from that.

        What was not kept may be given again, with more behind it; the rest of it is cut off.
        """
        ...

    def counted(
        self, job: JobId, segments: Sequence[Segment]
    ) -> AbstractAsyncContextManager[ResultLog]:
        """Give files that have the segments, up to where they count.

        FileNotFoundError: they are gone.
        """
        ...

    def earlier(self, job: JobId, shard: int, epoch: int) -> AbstractAsyncContextManager[ResultLog]:
        """Give files that have what epochs before this one left of a shard, counted or not."""
        ...

    async def snapshot(self, job: JobId, segments: Sequence[Segment], folder: Path) -> ResultLog:
        """Return a log in the folder that has these segments, whatever is deleted meanwhile.

        FileNotFoundError: one of them is gone already.
        """
        ...

    async def jobs(self) -> list[JobId]:
        """Return every job that has results and nothing else here."""
        ...

    async def delete_job(self, job: JobId) -> None:
        """Remove all results of the job; idempotent."""
        ...
