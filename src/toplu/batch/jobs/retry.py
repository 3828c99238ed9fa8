"""Runs again what a job that has ended left: the requests that failed or were not reached.

Their lines become the input of a job of its own, byte for byte and in their order. What had a
response is neither run nor paid for again.
"""

import hashlib
from collections.abc import AsyncIterator

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
        _check_state(job)
        tally = await self._results.tally(job)
        job_id = new_job_id()
        copied = await self._copy(job, job_id, tally)
        retry = await self._admission.admit(
            Candidate(
                id=job_id,
                project=job.project,
                model=job.model,
                engine=engine,
                method=job.method,
                display_name=display_name or job.display_name,
                input_form=job.input_form,
                input_file=None,
                input_sha256=copied.digest.hexdigest(),
                size_bytes=copied.size_bytes,
                total=copied.count,
                priority=job.priority,
                retry_of=job.id,
                wire=job.wire,
                wire_details=job.wire_details,
                life=job.expires - job.created,
            )
        )
        log.info("job_retried", job=job.id, retry=retry.id, requests=copied.count)
        return retry

    async def _copy(self, job: Job, job_id: JobId, tally: Tally) -> "_Copied":
        """Keep the lines that have no response as the input of the new job."""
        copied = _Copied()
        lines = _hashed(self._lines(job.id, tally, copied), copied.digest)
        async with self._admission.keeping_input(job_id):
            try:
                copied.size_bytes = await self._blobs.put(paths.input_lines(job_id), lines)
            except FileNotFoundError:
                raise FailedPrecondition(
                    f"batches/{job.id} cannot be run again: its input is kept no more."
                ) from None
            if not copied.count:
                raise FailedPrecondition(_nothing_to_run(job))
        return copied

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
    """The lines that were copied: how many, their bytes and the digest of these."""

    def __init__(self) -> None:
        self.count = 0
        self.size_bytes = 0
        self.digest = hashlib.sha256()


async def _hashed(pieces: AsyncIterator[bytes], digest: "hashlib._Hash") -> AsyncIterator[bytes]:
    async for piece in pieces:
        digest.update(piece)
        yield piece


def _check_state(job: Job) -> None:
    if not job.is_final:
        raise FailedPrecondition(
            f"batches/{job.id} is {job.state}: only a batch that has ended can be run again."
        )
    counts = job.counts
    if job.planned and counts.total and not counts.failed and not counts.pending:
        raise FailedPrecondition(_nothing_to_run(job))


def _nothing_to_run(job: Job) -> str:
    return f"batches/{job.id} has nothing to run again: every request has a response."
