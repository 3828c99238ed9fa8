"""The results of a job as they are kept: in its output once it succeeded, else in the result log.

    SUCCEEDED ──▶ output, in input order        else ──▶ segments, up to where they are counted

A job may succeed, and its log go, while it is being read: what is read is a snapshot. Memory is
bounded as in the assembly, whatever the size of the job.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from toplu.batch import paths
from toplu.batch.lookup import MISSING, Lookup
from toplu.batch.results.placements import Placements, entries_of
from toplu.batch.results.tally import Tally
from toplu.errors import NotFound
from toplu.job import Job, JobId, JobState, ProjectId, Shard
from toplu.money import NO_TOKENS
from toplu.settings.server import Settings
from toplu.store.blobs.blobs import Blobs
from toplu.store.blobs.records import Entry
from toplu.store.blobs.result_log import ResultLog, Segment
from toplu.store.blobs.results import Results
from toplu.store.rows.jobs import JobRows
from toplu.wire.gemini import jsonl
from toplu.wire.gemini.line_splitter import whole_lines

GROUP_LINES = 8192  # that are in memory at a time
GROUP_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The counted part of a job's result log at one moment."""

    results: ResultLog
    shards: list[Shard]
    segments: list[Segment]  # by shard and epoch

    @property
    def total(self) -> int:
        """The number of requests of all shards."""
        return sum(shard.count for shard in self.shards)

    def entries_of(self, shard: Shard) -> dict[int, tuple[int, Entry]]:
        """Return the outcomes of one shard; blocking."""
        segments = [segment for segment in self.segments if segment.shard == shard.number]
        return entries_of(self.results, shard, segments)

    def entries(self) -> Iterator[tuple[Shard, dict[int, tuple[int, Entry]]]]:
        """Yield the outcomes of one shard after the other; blocking."""
        of_shard = {
            number: list(segments)
            for number, segments in groupby(self.segments, key=lambda segment: segment.shard)
        }
        for shard in self.shards:
            if shard.number in of_shard:
                yield shard, entries_of(self.results, shard, of_shard[shard.number])


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Results on their way out."""

    count: int
    is_complete: bool  # every request of the job has its result among them
    pieces: AsyncIterator[bytes]  # whole lines, each with the number of its request


class ResultReader:
    """Reads the results of jobs, finished or not."""

    def __init__(
        self, *, settings: Settings, jobs: JobRows, blobs: Blobs, results: Results, lookup: Lookup
    ) -> None:
        self._jobs = jobs
        self._blobs = blobs
        self._results = results
        self._lookup = lookup
        # A scan reads a whole log: many at once would take the disk from those that write.
        self._scans = asyncio.Semaphore(settings.result_scans_max)

    @asynccontextmanager
    async def partial(self, project: ProjectId, job_id: JobId) -> AsyncIterator[Reading]:
        """Give every result that is durable and counted, in input order; NotFound as for a get."""
        job = await self._lookup.find(project, job_id)
        await self._lookup.note_reading(job)
        async with self._blobs.workshop() as folder:
            snapshot = await self.snapshot(job, folder)
            if snapshot is None:
                yield await self._of_output(project, job_id)
                return
            with Placements(folder / "placements", snapshot.total) as placements:
                count = await self.place(placements, snapshot)
                yield Reading(
                    count=count,
                    is_complete=job.planned and count == job.counts.total,
                    pieces=in_thread(placements.numbered(snapshot.results, job_id)),
                )

    async def place(self, placements: Placements, snapshot: Snapshot) -> int:
        """Put down where all results lie; return how many there are."""
        async with self._scans:
            return await asyncio.to_thread(place_all, placements, snapshot)

    async def note_reading(self, job: Job) -> None:
        """Have the audit log say that results are read which were made of this job's before."""
        await self._lookup.note_reading(job)

    async def tally(self, job: Job) -> Tally:
        """Count the outcomes of a job that has ended again."""
        async with self._blobs.workshop() as folder, self._scans:
            snapshot = await self.snapshot(job, folder)
            if snapshot is not None:
                return await asyncio.to_thread(_tally, snapshot)
            tally = Tally()
            index = 0
            async for lines in self.output(job.id):
                for line in lines:
                    tally.add(index, jsonl.error_code_of(line))
                    index += 1
            return tally

    async def snapshot(
        self, job: Job, folder: Path, of: Sequence[Shard] | None = None
    ) -> Snapshot | None:
        """Return the log as it stands, or that `of` some shards, its files in the folder.

        None: the output has everything.
        """
        if job.state is JobState.SUCCEEDED:
            return None
        shards = await self._jobs.shards(job.id) if of is None else list(of)
        known = {shard.number for shard in shards}
        segments = [it for it in await self._jobs.segments(job.id) if it.shard in known]
        try:
            results = await self._results.snapshot(job.id, segments, folder / "results")
        except FileNotFoundError:
            # The log goes when the job has succeeded, and with a job that is deleted.
            found = await self._lookup.find(job.project, job.id)
            if found.state is JobState.SUCCEEDED:
                return None
            raise
        return Snapshot(results=results, shards=shards, segments=segments)

    async def output(self, job_id: JobId) -> AsyncIterator[list[bytes]]:
        """Yield the lines of the output of a job that succeeded, some of them at a time."""
        try:
            async for lines in whole_lines(self._blobs.stream(paths.output_lines(job_id))):
                yield lines
        except FileNotFoundError:
            raise NotFound(MISSING) from None  # deleted since the job was found

    async def responses(self, job: Job) -> AsyncGenerator[list[tuple[int, bytes]]]:
        """Yield the responses of a job that has ended, each with the index of its request.

        They are counted ones, some at a time, in no order.
        """
        async with self._blobs.workshop() as folder, self._scans:
            snapshot = await self.snapshot(job, folder)
            if snapshot is not None:
                groups = _responses(snapshot)
                while (group := await asyncio.to_thread(next, groups, None)) is not None:
                    yield group
                return
            index = 0
            async for lines in self.output(job.id):
                numbered = enumerate(lines, start=index)
                yield [it for it in numbered if jsonl.error_code_of(it[1]) is None]
                index += len(lines)

    async def _of_output(self, project: ProjectId, job_id: JobId) -> Reading:
        job = await self._lookup.find(project, job_id)
        if await self._blobs.size(paths.output_lines(job_id)) is None:
            raise NotFound(MISSING)
        return Reading(
            count=job.counts.total, is_complete=True, pieces=self._numbered_output(job_id)
        )

    async def _numbered_output(self, job_id: JobId) -> AsyncIterator[bytes]:
        number = 0
        async for lines in self.output(job_id):
            numbered = [
                jsonl.with_number(line, number + place) + b"\n"
                for place, line in enumerate(lines, start=1)
            ]
            number += len(lines)
            yield b"".join(numbered)


def _tally(snapshot: Snapshot) -> Tally:
    tally = Tally()
    used, copies = NO_TOKENS, 0
    for shard, entries in snapshot.entries():
        for index, (epoch, entry) in entries.items():
            code = None
            if not entry.succeeded:
                place = (shard.job, shard.number, epoch, entry.offset, entry.length)
                code = jsonl.error_code_of(snapshot.results.read(*place))
            tally.add(index, code)
            copies += entry.is_copy
            used += entry.usage
    tally.tokens = used, copies
    return tally


def _responses(snapshot: Snapshot) -> Iterator[list[tuple[int, bytes]]]:
    group: list[tuple[int, bytes]] = []
    size_bytes = 0
    for shard, entries in snapshot.entries():
        for index, (epoch, entry) in entries.items():
            if not entry.succeeded:
                continue
            place = (shard.job, shard.number, epoch, entry.offset, entry.length)
            group.append((index, snapshot.results.read(*place)))
            size_bytes += entry.length
            if len(group) >= GROUP_LINES or size_bytes >= GROUP_BYTES:
                yield group
                group, size_bytes = [], 0
    yield group


def place_all(placements: Placements, snapshot: Snapshot) -> int:
    """Put down where all results lie, and return how many there are; blocking."""
    count = 0
    for shard, entries in snapshot.entries():
        placements.put(shard.number, entries)
        count += len(entries)
    return count


async def in_thread(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yield what an iterator does that blocks."""
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece
