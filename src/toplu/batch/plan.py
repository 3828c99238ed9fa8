"""Hop 3: reads a job's input once, indexes its lines and cuts it into shards.

Lines are not parsed here: a line that is no request becomes an error result when its turn
comes. The order is the input's own.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import structlog

from toplu.batch import line_index, paths
from toplu.batch.lines import LineGroup
from toplu.batch.loop import AT_ONCE
from toplu.clock import Clock
from toplu.errors import InvalidArgument, TopluError
from toplu.gemini.line_splitter import LineSpan, LineSplitter
from toplu.job import Job, JobId, JobState, Shard
from toplu.settings import Settings
from toplu.store.blobs import Blobs
from toplu.store.jobs import Jobs

log = structlog.get_logger()

IDLE = timedelta(seconds=5)


class ShardCutter:
    """Cuts consecutive lines into shards that are bounded in requests and in bytes."""

    def __init__(self, job: JobId, *, requests_max: int, bytes_max: int) -> None:
        self._job = job
        self._group = LineGroup(lines_max=requests_max, bytes_max=bytes_max)
        self.shards: list[Shard] = []
        self.total = 0

    def add(self, span: LineSpan) -> None:
        if not self._group.has_room(span):
            self.close_shard()
        self._group.add(span)
        self.total += 1

    def close_shard(self) -> None:
        """End the shard that is being filled; call once more after the last line."""
        count = len(self._group.take())
        if count:
            self.shards.append(
                Shard(job=self._job, number=len(self.shards), first=self.total - count, count=count)
            )


class Planner:
    """Takes unplanned jobs, oldest first, and plans each."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        jobs: Jobs,
        blobs: Blobs,
        planned: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._jobs = jobs
        self._blobs = blobs
        self._planned = planned  # called when there are shards to lease

    async def step(self) -> timedelta:
        """Plan one job."""
        job = await self._jobs.next_unplanned()
        if job is None:
            return IDLE
        try:
            await self._plan(job)
        except TopluError as error:
            log.warning("job_unreadable", job=job.id, reason=error.message)
            await self._fail(job, error)
        except FileNotFoundError:
            # The job was deleted while its input was being read, or the folder was tampered with.
            log.warning("job_input_missing", job=job.id)
            await self._fail(job, InvalidArgument("The input of the batch is gone."))
        return AT_ONCE

    async def _fail(self, job: Job, error: TopluError) -> None:
        await self._jobs.move(
            job.id, JobState.FAILED, self._clock.now(), error=error.as_request_error()
        )

    async def _plan(self, job: Job) -> None:
        cutter = ShardCutter(
            job.id,
            requests_max=self._settings.shard_requests_max,
            bytes_max=self._settings.shard_bytes_max,
        )
        # Planning twice, after a crash in between, writes the same index again.
        await self._blobs.put(paths.line_index(job.id), self._index(job, cutter))
        cutter.close_shard()
        if not cutter.total:
            raise InvalidArgument("The input file has no requests.")
        if await self._jobs.plan(job.id, cutter.shards, cutter.total, self._clock.now()):
            log.info("job_planned", job=job.id, requests=cutter.total, shards=len(cutter.shards))
            self._planned()

    async def _index(self, job: Job, cutter: ShardCutter) -> AsyncIterator[bytes]:
        splitter = LineSplitter()
        async for chunk in self._blobs.stream(paths.input_lines(job.id)):
            yield await asyncio.to_thread(self._add, cutter, splitter, chunk)
        yield await asyncio.to_thread(self._add, cutter, splitter, None)

    def _add(self, cutter: ShardCutter, splitter: LineSplitter, chunk: bytes | None) -> bytes:
        spans = list(splitter.finish() if chunk is None else splitter.feed(chunk))
        for span in spans:
            cutter.add(span)
        if cutter.total > self._settings.job_requests_max:
            raise InvalidArgument(
                f"A batch may have {self._settings.job_requests_max} requests at most."
            )
        return line_index.pack(spans)
