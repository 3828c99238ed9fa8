"""Takes up a job that has ended by one that will have all of its results.

    input ─────────────────────▶ input, the same bytes
    responses that there are ──▶ shards that are done from the start, with logs of their own
    all others ────────────────▶ planned and run

The copies live as long as the job that has them, whatever becomes of the other.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from toplu.batch import paths
from toplu.batch.jobs.carried import Carried
from toplu.batch.jobs.client_lines import GROUP_BYTES, GROUP_LINES, ClientLines, take_back
from toplu.batch.line_reader import span_groups
from toplu.batch.results.reader import ResultReader
from toplu.batch.results.tally import Tally
from toplu.job import CARRIED_FROM, Job, JobId, JobState, Shard
from toplu.store.blobs.blobs import Blobs
from toplu.store.blobs.records import Record
from toplu.store.blobs.result_log import Addition, Segment
from toplu.store.blobs.results import Results

EPOCH = 1  # of carried shards, that nobody leases


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenUp:
    """The input of a new job, and what it carries."""

    size_bytes: int
    carried: Carried


class Carrying:
    """Keeps for new jobs what other jobs have."""

    def __init__(self, *, blobs: Blobs, log: Results, results: ResultReader) -> None:
        self._blobs = blobs
        self._log = log
        self._results = results

    async def take_up(self, job: Job, new: JobId, lines: ClientLines | None) -> TakenUp:
        """Keep input and responses of the job for the new one, durable.

        With `lines`, a line of the client's of which a request has no response runs again whole.
        FileNotFoundError: the input is gone, and something of it is to run.
        """
        tally = await self._results.tally(job)
        if has_all(job):
            # Such a job may have lost its input: nothing of it would run again.
            carried = await self._carry(job, new, tally, job.counts.total)
            return TakenUp(size_bytes=0, carried=carried)
        await self._blobs.link(paths.input_lines(job.id), paths.input_lines(new))
        if lines is not None:
            await take_back(self._blobs, job, tally, lines)
        total = await self._count_lines(new)
        carried = await self._carry(job, new, tally, total)
        size_bytes = await self._blobs.size(paths.input_lines(new))
        assert size_bytes is not None, "it has just been linked"
        return TakenUp(size_bytes=size_bytes, carried=carried)

    async def forget(self, new: JobId) -> None:
        """Remove the responses that were kept for a job that is not to be."""
        await self._log.delete_job(new)

    async def _count_lines(self, new: JobId) -> int:
        groups = span_groups(
            self._blobs, paths.input_lines(new), lines_max=GROUP_LINES, bytes_max=GROUP_BYTES
        )
        return sum([len(group) async for group in groups])

    async def _carry(self, job: Job, new: JobId, tally: Tally, total: int) -> Carried:
        carried = Carried(marks=bytes(tally.responses).ljust(total, b"\0"))
        assert len(carried.marks) == total, "each response is to a line of the input"
        async with aclosing(self._results.responses(job)) as groups:
            async for group in groups:
                kept = [(index, line) for index, line in group if tally.has_response(index)]
                if kept:
                    await self._keep(new, CARRIED_FROM + len(carried.shards), kept, carried)
        assert carried.count == tally.succeeded, "what was counted is kept"
        if carried.count:
            await self._blobs.put(paths.carried(new), _one(carried.marks))
        return carried

    async def _keep(
        self, new: JobId, number: int, kept: Sequence[tuple[int, bytes]], carried: Carried
    ) -> None:
        records = [Record(index=index, succeeded=True, payload=line) for index, line in kept]
        addition = Addition(job=new, shard=number, epoch=EPOCH, at=0, records=records)
        (end,) = await self._log.append_all([addition])
        if isinstance(end, Exception):
            raise end
        carried.segments.append(Segment(job=new, shard=number, epoch=EPOCH, committed_bytes=end))
        carried.shards.append(
            Shard(
                job=new,
                number=number,
                first=0,
                count=len(records),
                succeeded=len(records),
                epoch=EPOCH,
            )
        )


def has_all(job: Job) -> bool:
    """Return whether every request of the job has a response."""
    counts = job.counts
    return job.planned and 0 < counts.total == counts.succeeded


def is_whole(job: Job) -> bool:
    """Return whether there is nothing to add to the output of the job."""
    return job.state is JobState.SUCCEEDED and has_all(job)


async def _one(content: bytes) -> AsyncIterator[bytes]:
    yield content
