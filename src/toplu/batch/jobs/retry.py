"""Runs again what a job that has ended left: the requests that failed or were not reached.

Their lines become the input of a job of its own, byte for byte and in their order, but for answers
that lines waited for, which are written into them. What had a response is neither run nor paid for
again. A batch for several engines leaves a job for each.
A retry that merges has the whole input instead, and the responses that there are with it.
"""

import asyncio
import hashlib
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import structlog

from toplu.batch import paths
from toplu.batch.chains.untying import Untied, Untying
from toplu.batch.jobs.admission import Admission, Candidate, new_job_id
from toplu.batch.jobs.carried import Carried
from toplu.batch.jobs.carrying import Carrying, has_all, is_whole
from toplu.batch.jobs.client_lines import GROUP_BYTES, GROUP_LINES, ClientLines, take_back
from toplu.batch.jobs.input import check_display_name
from toplu.batch.line_reader import span_groups
from toplu.batch.results.reader import ResultReader
from toplu.batch.results.tally import Tally
from toplu.errors import FailedPrecondition
from toplu.idempotency import IdempotencyKey
from toplu.job import Job, JobId
from toplu.store.blobs.blobs import Blobs
from toplu.wire.gemini.line_splitter import LineSpan

log = structlog.get_logger()

BODY = "RetryBatchRequest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """A job whose rest is to run, and the engine that its model stands for at the moment."""

    job: Job
    engine: str


class JobRetry:
    """Makes jobs of what other jobs left."""

    def __init__(
        self,
        *,
        blobs: Blobs,
        results: ResultReader,
        carrying: Carrying,
        untying: Untying,
        admission: Admission,
    ) -> None:
        self._blobs = blobs
        self._results = results
        self._carrying = carrying
        self._untying = untying
        self._admission = admission

    async def create_batch(
        self,
        rests: Sequence[Rest],
        *,
        lines: ClientLines | None = None,
        display_name: str | None = None,
        merge: bool = False,
        key: IdempotencyKey | None = None,
    ) -> Job:
        """Return the first PENDING job of what the jobs of a batch left, linked to theirs.

        Limits are as at create. With `lines`, a line of the client's of which a request has no
        response runs again whole. With `merge`, the jobs will have all results, those included
        that there are. Raises AlreadyCreated if the key has made a job before.
        """
        check_display_name(display_name, BODY)
        first = rests[0].job
        for rest in rests:
            _check_state(rest.job)
        ids = [new_job_id() for _ in rests]
        candidates: list[Candidate] = []
        async with self._keeping(ids):
            if merge and all(is_whole(rest.job) for rest in rests):
                raise FailedPrecondition(_nothing_to_run(first))
            for job_id, rest in zip(ids, rests, strict=True):
                copied = await (self._take_up if merge else self._copy)(rest.job, job_id, lines)
                if copied.count:
                    candidates.append(_candidate(job_id, rest, copied, display_name))
            if not candidates:
                raise FailedPrecondition(_nothing_to_run(first))
            candidates[0] = replace(candidates[0], retry_of=first.id, key=key)
            retry = await self._admission.admit(*candidates)
        log.info(
            "job_retried",
            job=first.id,
            retry=retry.id,
            requests=sum(it.total for it in candidates),
            carried=sum(it.carried.count for it in candidates),
        )
        return retry

    @asynccontextmanager
    async def _keeping(self, ids: Sequence[JobId]) -> AsyncIterator[None]:
        """Remove what the block has kept for the jobs if it fails."""
        try:
            async with self._admission.keeping_input(*ids):
                yield
        except BaseException:
            for job_id in ids:
                await self._carrying.forget(job_id)
            raise

    async def _take_up(self, job: Job, job_id: JobId, lines: ClientLines | None) -> "_Copied":
        """Keep the whole input for the new job, with the responses that there are."""
        try:
            taken = await self._carrying.take_up(job, job_id, lines)
        except FileNotFoundError:
            raise _input_is_gone(job) from None
        return _Copied(
            count=len(taken.carried.marks),
            size_bytes=taken.size_bytes,
            sha256=job.input_sha256,
            file=job.input_file,
            carried=taken.carried,
        )

    async def _copy(self, job: Job, job_id: JobId, lines: ClientLines | None) -> "_Copied":
        """Keep the lines that have no response as the input of the new job, if there are any."""
        copied = _Copied()
        if has_all(job):
            return copied
        tally = await self._results.tally(job)
        digest = hashlib.sha256()
        try:
            if lines is not None:
                count = await take_back(self._blobs, job, tally, lines)
                copied.details = lines.details(job, count)
            async with self._untying.of(job, tally) as untied:
                pieces = _hashed(self._lines(job.id, tally, untied, copied), digest)
                copied.size_bytes = await self._blobs.put(paths.input_lines(job_id), pieces)
        except FileNotFoundError:
            raise _input_is_gone(job) from None
        copied.sha256 = digest.hexdigest()
        if not copied.count:
            await self._blobs.delete_folder(paths.folder(job_id))
        return copied

    async def _lines(
        self, job: JobId, tally: Tally, untied: Untied | None, copied: "_Copied"
    ) -> AsyncIterator[bytes]:
        blob = paths.input_lines(job)
        indexes = (index for index in itertools.count() if not tally.has_response(index))
        groups = span_groups(
            self._blobs,
            blob,
            lines_max=GROUP_LINES,
            bytes_max=GROUP_BYTES,
            wants=lambda index: not tally.has_response(index),
        )
        async for group in groups:
            copied.count += len(group)
            numbers = list(itertools.islice(indexes, len(group)))
            longest = GROUP_BYTES if untied is None else max(GROUP_BYTES, untied.line_bytes_max)
            if sum(span.length for span in group) > longest:
                async for piece in self._stream(blob, group):
                    yield piece
                continue
            lines = await self._blobs.read_pieces(
                blob, [(span.offset, span.length) for span in group]
            )
            if untied is not None:
                lines = await asyncio.to_thread(untied.lines, numbers, lines)
            yield b"".join(line + b"\n" for line in lines)

    async def _stream(self, blob: str, group: list[LineSpan]) -> AsyncIterator[bytes]:
        """Yield lines without holding any of them as a whole: they may be of any length."""
        for span in group:
            async for piece in self._blobs.stream(blob, span.offset, span.length):
                yield piece
            yield b"\n"


@dataclass(slots=True, kw_only=True)
class _Copied:
    """The input of a new job: how many lines, their bytes and the digest of these."""

    count: int = 0
    size_bytes: int = 0
    sha256: str | None = None
    file: str | None = None  # that the input came in
    details: bytes | None = None  # of the API; None: those of the job
    carried: Carried = field(default_factory=Carried)


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
        input_file=copied.file,
        input_sha256=copied.sha256,
        size_bytes=copied.size_bytes,
        total=copied.count,
        priority=job.priority,
        reuse=job.reuse,
        wire=job.wire,
        wire_details=copied.details or job.wire_details,
        webhook_config=job.webhook_config,
        life=job.expires - job.created,
        carried=copied.carried,
    )


def _check_state(job: Job) -> None:
    if not job.is_final:
        raise FailedPrecondition(
            f"batches/{job.batch} is {job.state}: only a batch that has ended can be run again."
        )


def _input_is_gone(job: Job) -> FailedPrecondition:
    return FailedPrecondition(
        f"batches/{job.batch} cannot be run again: its input is kept no more."
    )


def _nothing_to_run(job: Job) -> str:
    return f"batches/{job.id} has nothing to run again: every request has a response."
