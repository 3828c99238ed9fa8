"""Runs again what a job that has ended left: the requests that failed or were not reached.

Their lines become the input of a job of its own, byte for byte and in their order. What had a
response is neither run nor paid for again. A batch for several engines leaves a job for each.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from toplu.batch import paths
from toplu.batch.jobs.admission import Admission, Candidate, new_job_id
from toplu.batch.jobs.input import check_display_name
from toplu.batch.line_reader import span_groups
from toplu.batch.results.reader import ResultReader
from toplu.batch.results.tally import Tally
from toplu.errors import FailedPrecondition
from toplu.job import Job, JobId
from toplu.store.blobs.blobs import Blobs
from toplu.wire.gemini.line_splitter import LineSpan

log = structlog.get_logger()

BODY = "RetryBatchRequest"
GROUP_LINES = 8192  # that are copied at a time
GROUP_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """A job whose rest is to run, and the engine that its model stands for at the moment."""

    job: Job
    engine: str


class ClientLines(Protocol):
    """Knows the lines of an API's client, of which one may be several requests."""

    def requests_of(self, line: bytes) -> int:
        """Return how many requests are one line with this one, the first of them; else 0."""
        ...

    def details(self, job: Job, lines: int) -> bytes:
        """Return what the API keeps of a job with so many lines of this one."""
        ...


class JobRetry:
    """Makes jobs of what other jobs left."""

    def __init__(self, *, blobs: Blobs, results: ResultReader, admission: Admission) -> None:
        self._blobs = blobs
        self._results = results
        self._admission = admission

    async def create(self, job: Job, *, engine: str, display_name: str | None) -> Job:
        """Return the PENDING job, linked to the one whose rest it is; limits are as at create.

        `engine` is what the model of the job stands for at the moment.
        """
        check_display_name(display_name, BODY)
        return await self.create_batch([Rest(job=job, engine=engine)], display_name=display_name)

    async def create_batch(
        self,
        rests: Sequence[Rest],
        *,
        lines: ClientLines | None = None,
        display_name: str | None = None,
    ) -> Job:
        """Return the first job of what the jobs of a batch left, as `create` does for one.

        With `lines`, a line of the client's of which a request has no response runs again whole.
        """
        first = rests[0].job
        for rest in rests:
            _check_state(rest.job)
        ids = [new_job_id() for _ in rests]
        candidates: list[Candidate] = []
        async with self._admission.keeping_input(*ids):
            for job_id, rest in zip(ids, rests, strict=True):
                copied = await self._copy(rest.job, job_id, lines)
                if copied.count:
                    candidates.append(_candidate(job_id, rest, copied, display_name))
            if not candidates:
                raise FailedPrecondition(_nothing_to_run(first))
        candidates[0] = replace(candidates[0], retry_of=first.id)
        retry = await self._admission.admit(*candidates)
        count = sum(it.total for it in candidates)
        log.info("job_retried", job=first.id, retry=retry.id, requests=count)
        return retry

    async def _copy(self, job: Job, job_id: JobId, lines: ClientLines | None) -> "_Copied":
        """Keep the lines that have no response as the input of the new job, if there are any."""
        copied = _Copied()
        if not _may_have_rest(job):
            return copied
        tally = await self._results.tally(job)
        try:
            if lines is not None:
                copied.details = lines.details(job, await self._take_back(job, tally, lines))
            pieces = _hashed(self._lines(job.id, tally, copied), copied.digest)
            copied.size_bytes = await self._blobs.put(paths.input_lines(job_id), pieces)
        except FileNotFoundError:
            raise FailedPrecondition(
                f"batches/{job.batch} cannot be run again: its input is kept no more."
            ) from None
        if not copied.count:
            await self._blobs.delete_folder(paths.folder(job_id))
        return copied

    async def _take_back(self, job: Job, tally: Tally, lines: ClientLines) -> int:
        """Take the responses back of lines that lack one; return how many lines these are."""
        blob = paths.input_lines(job.id)
        index = count = 0
        groups = span_groups(self._blobs, blob, lines_max=GROUP_LINES, bytes_max=GROUP_BYTES)
        async for group in groups:
            places = [(span.offset, span.length) for span in group]
            pieces = await self._blobs.read_pieces(blob, places)
            sizes = await asyncio.to_thread(lambda it: list(map(lines.requests_of, it)), pieces)
            for place, size in enumerate(sizes, start=index):
                requests = range(place, place + size)
                if not all(map(tally.has_response, requests)):
                    tally.take_back(requests)
                    count += 1
            index += len(group)
        return count

    async def _lines(self, job: JobId, tally: Tally, copied: "_Copied") -> AsyncIterator[bytes]:
        blob = paths.input_lines(job)
        groups = span_groups(
            self._blobs,
            blob,
            lines_max=GROUP_LINES,
            bytes_max=GROUP_BYTES,
            wants=lambda index: not tally.has_response(index),
        )
        async for group in groups:
            copied.count += len(group)
            if sum(span.length for span in group) > GROUP_BYTES:
                async for piece in self._stream(blob, group):
                    yield piece
                continue
            lines = await self._blobs.read_pieces(
                blob, [(span.offset, span.length) for span in group]
            )
            yield b"".join(line + b"\n" for line in lines)

    async def _stream(self, blob: str, group: list[LineSpan]) -> AsyncIterator[bytes]:
        """Yield lines without holding any of them as a whole: they may be of any length."""
        for span in group:
            async for piece in self._blobs.stream(blob, span.offset, span.length):
                yield piece
            yield b"\n"


class _Copied:
    """The lines that were copied: how many, their bytes and the digest of these; API's details."""

    def __init__(self) -> None:
        self.count = 0
        self.size_bytes = 0
        self.digest = hashlib.sha256()
        self.details: bytes | None = None


async def _hashed(pieces: AsyncIterator[bytes], digest: "hashlib._Hash") -> AsyncIterator[bytes]:
    async for piece in pieces:
        digest.update(piece)
        yield piece


def _candidate(job_id: JobId, rest: Rest, copied: _Copied, display_name: str | None) -> Candidate:
    job = rest.job
    return Candidate(
        id=job_id,
        project=job.project,
        model=job.model,
        engine=rest.engine,
        method=job.method,
        display_name=display_name or job.display_name,
        input_form=job.input_form,
        input_file=None,
        input_sha256=copied.digest.hexdigest(),
        size_bytes=copied.size_bytes,
        total=copied.count,
        priority=job.priority,
        wire=job.wire,
        wire_details=copied.details or job.wire_details,
        webhook_config=job.webhook_config,
        life=job.expires - job.created,
    )


def _check_state(job: Job) -> None:
    if not job.is_final:
        raise FailedPrecondition(
            f"batches/{job.batch} is {job.state}: only a batch that has ended can be run again."
        )


def _may_have_rest(job: Job) -> bool:
    """Return whether a request may be without a response; then the input is kept."""
    counts = job.counts
    return not job.planned or not counts.total or bool(counts.failed or counts.pending)


def _nothing_to_run(job: Job) -> str:
    return f"batches/{job.id} has nothing to run again: every request has a response."
