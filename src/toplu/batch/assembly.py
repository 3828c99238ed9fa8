"""Hop 7: puts the results of a finished job into input order and ends the job.

Memory is bounded by one shard: its segments are scanned for where each result stands, and the
results are copied one after another. The output is written as a whole before the state moves,
so a crash in between only writes it again.
"""

import asyncio
import hashlib
import itertools
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import structlog

from toplu.batch import paths
from toplu.batch.loop import AT_ONCE
from toplu.clock import Clock
from toplu.job import InputForm, Job, JobId, Shard
from toplu.settings import Settings
from toplu.store.blobs import Blobs
from toplu.store.files import FileSource, StoredFile
from toplu.store.jobs import Jobs
from toplu.store.result_log import Entry, ResultLog

log = structlog.get_logger()

IDLE = timedelta(seconds=5)
RESULT_MIME_TYPE = "application/jsonl"
WRITE_BYTES = 1024 * 1024


class Assembler:
    """Takes jobs whose every request has an outcome, and finishes each."""

    def __init__(
        self, *, settings: Settings, clock: Clock, jobs: Jobs, blobs: Blobs, results: ResultLog
    ) -> None:
        self._clock = clock
        self._jobs = jobs
        self._blobs = blobs
        self._results = results
        self._result_life = timedelta(seconds=settings.result_life_seconds)
        self._put_aside: set[JobId] = set()

    async def step(self) -> timedelta:
        """Finish one job."""
        job = await self._jobs.next_complete(except_for=self._put_aside)
        if job is None:
            # What was put aside is tried again, after a pause.
            self._put_aside.clear()
            return IDLE
        try:
            await self._finish(job)
        except Exception:
            # The others must not wait for one that cannot be assembled, for want of space, say.
            log.exception("assembly_failed", job=job.id)
            self._put_aside.add(job.id)
        return AT_ONCE

    async def _finish(self, job: Job) -> None:
        digest = hashlib.sha256()
        size_bytes = await self._blobs.put(paths.output_lines(job.id), self._lines(job, digest))
        now = self._clock.now()
        file = None
        if job.input_form is InputForm.FILE:
            file = StoredFile(
                id=f"batch-{job.id}",
                project=job.project,
                display_name=None,
                mime_type=RESULT_MIME_TYPE,
                size_bytes=size_bytes,
                sha256=digest.hexdigest(),
                created=now,
                updated=now,
                expires=now + self._result_life,
                source=FileSource.GENERATED,
                blob=paths.output_lines(job.id),
            )
        finished = await self._jobs.succeed(job.id, now, file)
        if finished is not None:
            await self._forget_workings(job)
            log.info(
                "job_succeeded",
                job=job.id,
                succeeded=finished.counts.succeeded,
                failed=finished.counts.failed,
            )

    async def _forget_workings(self, job: Job) -> None:
        """Remove what only an unfinished job needs; its output says everything."""
        await asyncio.to_thread(self._results.delete_job, job.id)
        await self._blobs.delete(paths.line_index(job.id))
        await self._blobs.delete(paths.input_lines(job.id))

    async def _lines(self, job: Job, digest: "hashlib._Hash") -> AsyncIterator[bytes]:
        for shard in await self._jobs.shards(job.id):
            epochs = [
                (segment.epoch, segment.committed_bytes)
                for segment in await self._jobs.segments(job.id, shard.number)
            ]
            pieces = self._shard_lines(shard, epochs)
            while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
                digest.update(piece)
                yield piece

    def _shard_lines(self, shard: Shard, epochs: list[tuple[int, int]]) -> Iterator[bytes]:
        """Yield the shard's results in order, in pieces of about WRITE_BYTES."""
        places: dict[int, tuple[int, Entry]] = {}
        for epoch, committed_bytes in epochs:
            scan = self._results.scan(shard.job, shard.number, epoch, committed_bytes)
            # The later epoch's outcome is the one that was counted; see `ShardRun.open`.
            places |= {entry.index: (epoch, entry) for entry in scan.entries}
        expected = range(shard.first, shard.first + shard.count)
        assert places.keys() == set(expected), "a shard counted as done lacks results"
        piece = bytearray()
        for epoch, run in itertools.groupby(
            (places[index] for index in expected), key=lambda place: place[0]
        ):
            entries = [entry for _, entry in run]
            for payload in self._results.read_payloads(shard.job, shard.number, epoch, entries):
                piece += payload + b"\n"
                if len(piece) >= WRITE_BYTES:
                    yield bytes(piece)
                    piece.clear()
        yield bytes(piece)
