"""Results as they come, for clients that ask again and again: each is given once.

RUNNING ──▶ shards that the cursor lacks, from the log      SUCCEEDED ──▶ the rest of the output
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from toplu.batch import paths
from toplu.batch.lookup import Lookup
from toplu.batch.plan.order import read_places
from toplu.batch.results.cursor import Cursor
from toplu.batch.results.placements import Placements
from toplu.batch.results.reader import ResultReader, Snapshot, in_thread
from toplu.errors import FailedPrecondition
from toplu.job import Job, JobId, JobState, ProjectId
from toplu.store.blobs.blobs import Blobs
from toplu.store.rows.jobs import JobRows
from toplu.wire.gemini import jsonl

LOOK_SECONDS = 0.5  # between two looks at the counts of a batch
GROUP_BYTES = 1024 * 1024
NUMBER_MAX = 2**32 - 1  # of a shard


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Results that the client had not."""

    count: int
    behind: Cursor | int  # the place behind them; in input order, a number of requests
    has_ended: bool  # nothing comes any more
    pieces: AsyncIterator[bytes]  # whole lines, each with the number of its request


class Following:
    """Gives results in the order in which they came, or that of the input."""

    def __init__(
        self, *, jobs: JobRows, blobs: Blobs, results: ResultReader, lookup: Lookup
    ) -> None:
        self._jobs = jobs
        self._blobs = blobs
        self._results = results
        self._lookup = lookup

    async def find(self, project: ProjectId, job_id: JobId) -> Job:
        """Return the job that is to be followed; NotFound as for a get."""
        return await self._lookup.find(project, job_id)

    @asynccontextmanager
    async def after(
        self, project: ProjectId, job_id: JobId, cursor: Cursor, wait_seconds: float
    ) -> AsyncIterator[Given]:
        """Give what came after the cursor; wait so long for the first. NotFound as for a get."""
        job = await self._until_more(project, job_id, cursor.count, wait_seconds)
        if not (job.is_final or _outcomes(job) > cursor.count):
            yield Given(count=0, behind=cursor, has_ended=False, pieces=_nothing())
            return
        await self._lookup.note_reading(job)
        async with self._blobs.workshop() as folder:
            given = None
            if job.state is not JobState.SUCCEEDED:
                given = await self._of_log(job, cursor, folder)
            yield given or await self._of_output(project, job_id, cursor)

    @asynccontextmanager
    async def in_order(
        self, project: ProjectId, job_id: JobId, passed: int, wait_seconds: float
    ) -> AsyncIterator[Given]:
        """Do the same in input order, up to the first request without a result.

        Behind the end of the batch all the others come. `passed` is how many requests it is that
        are behind the client.
        """
        until = asyncio.get_running_loop().time() + wait_seconds
        seen = -1  # outcomes at the last look
        while True:
            left = until - asyncio.get_running_loop().time()
            job = await self._until_more(project, job_id, seen, max(0.0, left))
            seen = _outcomes(job)
            async with AsyncExitStack() as held:
                given = await self._run_from(job, passed, held)
                if given.count or given.has_ended or left <= 0:
                    await self._lookup.note_reading(job)
                    yield given
                    return

    async def _until_more(
        self, project: ProjectId, job_id: JobId, seen: int, wait_seconds: float
    ) -> Job:
        """Return the job once it has more outcomes than were seen, or the wait is over."""
        loop = asyncio.get_running_loop()
        until = loop.time() + wait_seconds
        while True:
            job = await self._lookup.find(project, job_id)
            left = until - loop.time()
            if job.is_final or _outcomes(job) > seen or left <= 0:
                return job
            await asyncio.sleep(min(LOOK_SECONDS, left))

    async def _run_from(self, job: Job, passed: int, held: AsyncExitStack) -> Given:
        folder = await held.enter_async_context(self._blobs.workshop())
        snapshot = await self._results.snapshot(job, folder)
        total = job.counts.total
        if snapshot is None:
            given = bytearray(b"\1" * min(passed, total)).ljust(total, b"\0")
            return Given(
                count=max(0, total - passed),
                behind=max(passed, total),
                has_ended=True,
                pieces=self._rest(job, given),
            )
        # A job may have more requests than are planned by now.
        total = max(total, snapshot.total)
        placements = held.enter_context(Placements(folder / "placements", total))
        await self._results.place(placements, snapshot)
        end = total if job.is_final else placements.end_of_run(passed)
        return Given(
            count=placements.count(passed) if job.is_final else end - passed,
            behind=max(passed, end),
            has_ended=job.is_final,
            pieces=in_thread(placements.numbered(snapshot.results, job.id, passed, end)),
        )

    async def _of_log(self, job: Job, cursor: Cursor, folder: Path) -> Given | None:
        """Return results of the log; None: it has become an output meanwhile."""
        fresh = [
            shard
            for shard in await self._jobs.shards(job.id)
            if shard.succeeded + shard.failed and not cursor.has_all_of(shard.number)
        ]
        snapshot = await self._results.snapshot(job, folder, fresh)
        if snapshot is None:
            return None
        whole = {shard.number: shard.count for shard in fresh if shard.is_done}
        count = sum(whole.values())
        places_of: dict[int, dict[int, int]] = {}  # by shard: of each request, where it runs in it
        parts: dict[int, set[int]] = {}
        for shard in fresh:
            before = cursor.places_of(shard.number)
            if shard.is_done and not before:
                continue
            places = await read_places(self._blobs, shard)
            place_of = places_of[shard.number] = {it.index: n for n, it in enumerate(places)}
            if shard.is_done:
                count -= len(before)
                continue
            found = await asyncio.to_thread(snapshot.entries_of, shard)
            parts[shard.number] = {place_of[index] for index in found} | before
            count += len(parts[shard.number]) - len(before)
        return Given(
            count=count,
            behind=cursor.moved(count=count, whole=whole, parts=parts),
            has_ended=job.is_final,
            pieces=in_thread(_lines(snapshot, cursor, places_of, parts)),
        )

    async def _of_output(self, project: ProjectId, job_id: JobId, cursor: Cursor) -> Given:
        """Return the results of a job that succeeded which the client had not."""
        job = await self._lookup.find(project, job_id)
        total = job.counts.total
        given = bytearray(total)
        if cursor.count < total:
            given = await self._given(job, cursor)
        return Given(
            count=total - cursor.count,
            behind=Cursor(count=total, whole=[(0, NUMBER_MAX)]),
            has_ended=True,
            pieces=self._rest(job, given) if cursor.count < total else _nothing(),
        )

    async def _given(self, job: Job, cursor: Cursor) -> bytearray:
        """Return a byte for each request, 1 if the client has its result."""
        given = bytearray(job.counts.total)
        try:
            for shard in await self._jobs.shards(job.id) if cursor.count else []:
                if shard.is_carried:
                    # All of these are given together, before anything else has come.
                    blob = paths.carried(job.id)
                    given = bytearray(await self._blobs.read(blob, 0, job.counts.total))
                    break
            for shard in await self._jobs.shards(job.id) if cursor.count else []:
                has_all = cursor.has_all_of(shard.number)
                if shard.is_carried or not (has_all or shard.number in cursor.parts):
                    continue
                places = cursor.places_of(shard.number)
                for place, entry in enumerate(await read_places(self._blobs, shard)):
                    given[entry.index] = has_all or place in places
        except FileNotFoundError:
            raise FailedPrecondition(
                f"batches/{job.id} cannot be followed from there any more: read it from the start."
            ) from None
        return given

    async def _rest(self, job: Job, given: bytearray) -> AsyncIterator[bytes]:
        index = 0
        async for lines in self._results.output(job.id):
            yield b"".join(
                jsonl.with_number(line, number + 1) + b"\n"
                for number, line in enumerate(lines, start=index)
                if not given[number]
            )
            index += len(lines)


def _outcomes(job: Job) -> int:
    return job.counts.succeeded + job.counts.failed


def _lines(
    snapshot: Snapshot,
    cursor: Cursor,
    places_of: dict[int, dict[int, int]],
    parts: dict[int, set[int]],
) -> Iterator[bytes]:
    """Yield the lines as they came, shard by shard; the last shards may have more by now."""
    for shard, entries in snapshot.entries():
        before = cursor.places_of(shard.number)
        place_of = places_of.get(shard.number, {})
        wanted = parts.get(shard.number)
        lines: list[bytes] = []
        size_bytes = 0
        for index, (epoch, entry) in entries.items():
            place = place_of.get(index)
            if place in before or (wanted is not None and place not in wanted):
                continue
            at = (shard.job, shard.number, epoch, entry.offset, entry.length)
            lines.append(jsonl.with_number(snapshot.results.read(*at), index + 1) + b"\n")
            size_bytes += entry.length
            if size_bytes >= GROUP_BYTES:
                yield b"".join(lines)
                lines, size_bytes = [], 0
        yield b"".join(lines)


async def _nothing() -> AsyncIterator[bytes]:
    yield b""
