"""Hop 7: puts the results of a finished job into input order and ends the job.

A job whose every shard is done, and not every request, has lines that waited for these: they are
planned as its next wave. Of any other the segments of all shards are scanned for where each result
stands, which is written to disk; then the results are copied one after another, see
`batch.results.placements`. The output is written as a whole before the state moves, so a crash in
between only writes it again.
"""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta

import structlog

from toplu.batch import paths
from toplu.batch.loop import AT_ONCE, Wakeup
from toplu.batch.plan.wave_file import waves_of
from toplu.batch.results.placements import Placements, entries_of
from toplu.batch.reuse.answer_index import IndexWriter
from toplu.clock import Clock
from toplu.job import InputForm, Job, JobId, Shard
from toplu.settings.server import Settings
from toplu.store.blobs.blobs import Blobs
from toplu.store.blobs.result_log import ResultLog, Segment
from toplu.store.blobs.results import Results
from toplu.store.rows.files import FileSource, StoredFile
from toplu.store.rows.jobs import JobRows
from toplu.tracing.spans import SPANS
from toplu.workers.steps import StepKind, Steps
from toplu.workers.storage_faults import StorageFaults

log = structlog.get_logger()

IDLE = timedelta(seconds=5)
IN_MEMORY_MAX = 4096  # results whose places need no file
INDEX = "index"  # while it is being made
RESULT_MIME_TYPE = "application/jsonl"


class Assembler:
    """Takes jobs whose every request has an outcome, and finishes each."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        jobs: JobRows,
        steps: Steps,
        blobs: Blobs,
        results: Results,
        next_wave: Callable[[Job], Awaitable[None]],
        told: Wakeup,
        faults: StorageFaults | None = None,
    ) -> None:
        self._faults = faults or StorageFaults()
        self._clock = clock
        self._jobs = jobs
        self._steps = steps
        self._blobs = blobs
        self._results = results
        self._next_wave = next_wave
        self._told = told  # set when a job has ended
        self._result_life = timedelta(seconds=settings.result_life_seconds)
        self._put_aside: set[JobId] = set()

    async def step(self) -> timedelta:
        """Finish one job."""
        job = await self._steps.take(StepKind.ASSEMBLE, self._put_aside)
        if job is None:
            # What was put aside is tried again, after a pause.
            self._put_aside.clear()
            return IDLE
        try:
            if job.counts.pending:
                with SPANS.step("plan wave", job.id):
                    await self._next_wave(job)
            else:
                with SPANS.step("assemble", job.id):
                    await self._finish(job)
            self._faults.clear(job.id)
        except Exception as fault:
            # The others must not wait for one that cannot be assembled, for want of space, say.
            log.exception("assembly_failed", job=job.id)
            self._faults.note(job.id, fault)
            self._put_aside.add(job.id)
            await self._steps.give_back(StepKind.ASSEMBLE, job.id)
        return AT_ONCE

    async def _finish(self, job: Job) -> None:
        digest = hashlib.sha256()
        size_bytes = await self._write(job, digest)
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
        finished = await self._jobs.succeed(job.id, now, file, digest.hexdigest())
        if finished is not None:
            self._told.set()
            await self._forget_workings(finished)
            log.info(
                "job_succeeded",
                job=job.id,
                succeeded=finished.counts.succeeded,
                failed=finished.counts.failed,
            )

    async def _forget_workings(self, job: Job) -> None:
        """Remove what only an unfinished job needs; its output has everything else.

        The order stays for those that follow the batch: it says which results they have.
        """
        await self._results.delete_job(job.id)
        await self._blobs.delete(paths.head_order(job.id))
        if self._blobs.is_remote:
            await self._blobs.delete(paths.ordered_lines(job.id))
        for wave, _ in enumerate(await waves_of(self._blobs, job.id), start=1):
            await self._blobs.delete(paths.wave_lines(job.id, wave))
        # What failed may be run again.
        if not job.counts.failed:
            await self._blobs.delete(paths.input_lines(job.id))

    async def _write(self, job: Job, digest: "hashlib._Hash") -> int:
        """Keep the output, with the index of answers that others may have; return its size."""
        output = paths.output_lines(job.id)
        if not job.reuse:
            return await self._blobs.put(output, self._lines(job, digest))
        async with self._blobs.workshop() as folder:
            with IndexWriter(folder, job.counts.total) as index:
                size_bytes = await self._blobs.put(output, self._lines(job, digest, index))
                await asyncio.to_thread(index.write, folder / INDEX)
            await self._blobs.adopt(folder / INDEX, paths.answers(job.id))
        return size_bytes

    async def _lines(
        self, job: Job, digest: "hashlib._Hash", index: IndexWriter | None = None
    ) -> AsyncIterator[bytes]:
        total = job.counts.total
        async with AsyncExitStack() as held:
            path = None
            if total > IN_MEMORY_MAX:
                path = await held.enter_async_context(self._blobs.workshop()) / "placements"
            placements = held.enter_context(Placements(path, total))
            segments = await self._jobs.segments(job.id)
            results = await held.enter_async_context(self._results.counted(job.id, segments))
            of_shard = defaultdict(list)
            for segment in segments:
                of_shard[segment.shard].append(segment)
            for shard in await self._jobs.shards(job.id):
                of_this = of_shard[shard.number]
                await asyncio.to_thread(_place, placements, results, shard, of_this, index)
            pieces = placements.output(results, job.id)
            while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
                digest.update(piece)
                if index is not None:
                    await asyncio.to_thread(index.note_output, piece)
                yield piece


def _place(
    placements: Placements,
    results: ResultLog,
    shard: Shard,
    segments: list[Segment],
    index: IndexWriter | None,
) -> None:
    """Put down where the shard's results lie."""
    entries = entries_of(results, shard, segments)
    assert len(entries) == shard.count, "a shard counted as done lacks results"
    placements.put(shard.number, entries)
    if index is not None:
        index.put(entries)
