"""The output and error files of batches, found by their ids."""

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from toplu.api.openai.batch.details import details_of
from toplu.api.openai.batch.output import OutputForm
from toplu.api.openai.batch.resource import has_errors, has_output
from toplu.batch.lookup import Lookup
from toplu.batch.results.rendering import RenderedFile, Renderer
from toplu.batch.results.whole import whole_of
from toplu.clock import Clock
from toplu.errors import NotFound
from toplu.job import Job, JobId, ProjectId, Wire
from toplu.settings.server import Settings
from toplu.wire.openai.file import FileObject

ID = re.compile(r"file-(?P<file>output|errors)-(?P<job>[a-z0-9]{1,64})")
PURPOSE = "batch_output"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFile:
    """One of the files of a batch that has ended."""

    id: str
    jobs: Sequence[Job]  # of the batch
    file: RenderedFile
    expires: datetime
    renderer: Renderer

    async def size(self) -> int:
        """Return how many bytes it has; the first who asks waits until it is made."""
        return await self.renderer.size(self.jobs, self.file, OutputForm(self.job))

    @property
    def job(self) -> Job:
        """The batch as a whole."""
        return whole_of(self.jobs)

    def stream(self, offset: int, length: int) -> AsyncIterator[bytes]:
        """Yield a part of it."""
        return self.renderer.stream(self.job, self.file, offset, length)

    async def resource(self) -> FileObject:
        """Return it as its client sees it."""
        assert self.job.ended is not None, "the batch has ended"
        return FileObject(
            id=self.id,
            bytes=await self.size(),
            created_at=int(self.job.ended.timestamp()),
            expires_at=int(self.expires.timestamp()),
            filename=f"batch_{self.job.id}_{self.file}.jsonl",
            purpose=PURPOSE,
        )


class OutputFiles:
    """Finds them."""

    def __init__(
        self, *, settings: Settings, clock: Clock, lookup: Lookup, renderer: Renderer
    ) -> None:
        self._clock = clock
        self._life = timedelta(seconds=settings.result_life_seconds)
        self._lookup = lookup
        self._renderer = renderer

    async def find(self, project: ProjectId, file_id: str) -> OutputFile | None:
        """Return the file; None: the id is not of this kind, or there is no such file."""
        found = ID.fullmatch(file_id)
        if found is None:
            return None
        try:
            jobs = await self._lookup.batch(project, JobId(found["job"]))
        except NotFound:
            return None
        job = whole_of(jobs)
        file = RenderedFile(found["file"])
        is_there = has_output(job) if file is RenderedFile.OUTPUT else has_errors(job)
        if job.wire is not Wire.OPENAI or not is_there:
            return None
        expires = self._expires(job)
        if expires <= self._clock.now():
            return None
        return OutputFile(
            id=file_id, jobs=jobs, file=file, expires=expires, renderer=self._renderer
        )

    def _expires(self, job: Job) -> datetime:
        assert job.ended is not None, "the batch has ended"
        seconds = details_of(job).output_life_seconds
        life = self._life if seconds is None else min(self._life, timedelta(seconds=seconds))
        return job.ended + life
