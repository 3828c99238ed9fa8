"""One request of a batch on its way from a line of the input to a line of the output.

    read → answer, or find the answer to one before → write

Whatever happens to it is an outcome: nothing is raised but EngineGivenUp and EngineStopped, which
say nothing about the request.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import msgspec
import structlog
from msgspec.structs import replace

from toplu.batch.line_formats import FORMS, check_line_model
from toplu.batch.plan.order import RequestLine
from toplu.batch.provenance.provenance import Provenance
from toplu.batch.reuse.reuse import Reuse
from toplu.batch.run.executors import Executor
from toplu.disk_faults import is_disk_fault
from toplu.engines.translation.copied_answer import copy_of
from toplu.errors import Internal, InvalidArgument, RequestError, TopluError
from toplu.fleet.pool import EngineGivenUp, EngineStopped
from toplu.fleet.work import Answered
from toplu.job import Job
from toplu.labels import Labels
from toplu.money import NO_TOKENS
from toplu.settings.server import Settings
from toplu.store.blobs.records import Record
from toplu.tracing.request_at_hand import take_up
from toplu.wire.gemini import jsonl
from toplu.wire.gemini.labels import labels_of
from toplu.wire.gemini.message import FreeForm

log = structlog.get_logger()

# Beside the metadata of a line whose answer was ended to keep within its tokens.
SHORTENED = {"shortened": "true"}
READ_IN_THREAD_FROM_BYTES = 64 * 1024
INTERNAL_MESSAGE = "An internal error has occurred. The server's log has the details."


class _Read(msgspec.Struct, frozen=True, kw_only=True):
    """One line as it was read: its request, and the fault if it is not to be answered."""

    index: int  # within the job
    key: jsonl.Key = None
    metadata: FreeForm | None = None
    labels: Labels | None = None
    request: Any = None
    digest: bytes | None = None  # of the request, if its answer may be that of others
    fault: RequestError | None = None


class RequestRunner:
    """Gives requests of one engine their outcomes."""

    def __init__(
        self,
        executor: Executor,
        settings: Settings,
        *,
        reuse: Reuse | None = None,
        provenance: Provenance | None = None,
    ) -> None:
        self._executor = executor
        self._settings = settings
        self._reuse = reuse
        self._provenance = provenance
        self._log = log.bind()  # a logger that is not bound is bound again with each line

    async def outcomes(
        self,
        job: Job,
        duplicates: Sequence[RequestLine],
        *,
        lane: int,
        begun: Callable[[], None] | None = None,
    ) -> AsyncIterator[list[Record]]:
        """Yield the outcomes of requests that ask the very same, some of them at a time.

        The first one's response is right for all. If it has none, or may not be copied, the next
        is the first. `begun` is as for `Executor.answer`.
        """
        log = self._log
        for place, line in enumerate(duplicates):
            if line.is_outcome:
                yield [Record(index=line.index, succeeded=False, payload=line.line or b"")]
                continue
            take_up(job.id, job.project, line.index)
            log.debug("request_started", job=job.id, index=line.index, lane=lane)
            read = await self._read(job, line)
            outcome = read.fault or await self._answer(job, read, lane, begun)
            others = duplicates[place + 1 :]
            copies: list[Record] = []
            if (
                others
                and not isinstance(outcome, RequestError)
                and await self._may_copy(job, read.request)
            ):
                copies = await asyncio.to_thread(self._copies, job, others, outcome)
            records = [_record(read, outcome), *copies]
            self._log_finished(job, records)
            yield records
            if copies:
                return

    async def _read(self, job: Job, line: RequestLine) -> _Read:
        """Read the line, in a thread if it is long: a hostile one takes seconds of everybody's."""
        if len(line.line or b"") < READ_IN_THREAD_FROM_BYTES:
            read = self._read_now(job, line)
        else:
            read = await asyncio.to_thread(self._read_now, job, line)
        if self._reuse is None or not job.reuse or read.fault is not None:
            return read
        request = read.request
        if not await self._executor.may_copy(request, project=job.project, model=job.model):
            return read
        return replace(read, digest=await self._reuse.digest(job, request))

    def _read_now(self, job: Job, line: RequestLine) -> _Read:
        if line.line is None:
            reason = f"the line is longer than {self._settings.line_bytes_max} bytes"
            error = InvalidArgument(f"Error on line {line.number}: {reason}")
            return _Read(index=line.index, fault=error.as_request_error())
        try:
            read = FORMS[job.method].read(line.line, line.number)
        except InvalidArgument as error:
            key, metadata = jsonl.identify(line.line)
            return _Read(
                index=line.index, key=key, metadata=metadata, fault=error.as_request_error()
            )
        return _Read(
            index=line.index,
            key=read.key,
            metadata=read.metadata,
            labels=labels_of(read.request),
            request=read.request,
            fault=_model_fault(read.request.model, job, line),
        )

    async def _answer(
        self, job: Job, read: _Read, lane: int, begun: Callable[[], None] | None
    ) -> Answered | RequestError:
        try:
            if self._reuse is not None and read.digest is not None:
                kept = await self._reuse.find(job, read.digest)
                if kept is not None:
                    return kept
            answered = await self._executor.answer(
                read.request,
                project=job.project,
                model=job.model,
                label=f"{job.id}#{read.index}",
                lane=lane,
                begun=begun,
            )
            if self._provenance is not None:
                await self._provenance.note(job)
        except (EngineGivenUp, EngineStopped):
            raise
        except TopluError as error:
            return error.as_request_error()
        except Exception as error:
            if is_disk_fault(error):
                raise
            # A bug of ours costs this request its response, not the job its other results.
            log.exception("request_crashed", job=job.id, index=read.index)
            return Internal(INTERNAL_MESSAGE).as_request_error()
        return answered

    async def _may_copy(self, job: Job, request: Any) -> bool:
        if self._settings.deduplication == "all":
            return True
        return await self._executor.may_copy(request, project=job.project, model=job.model)

    def _log_finished(self, job: Job, records: Sequence[Record]) -> None:
        log = self._log
        for record in records:
            log.debug(
                "request_finished",
                job=job.id,
                index=record.index,
                succeeded=record.succeeded,
                is_copy=record.is_copy,
                reused=record.usage.reused_requests > 0,
            )

    def _copies(
        self, job: Job, duplicates: Sequence[RequestLine], answered: Answered
    ) -> list[Record]:
        """Return the outcomes of duplicates: each passes its own checks before it has a copy."""
        records = []
        for line in duplicates:
            read = self._read_now(job, line)
            if read.fault is not None:
                records.append(_record(read, read.fault))
                continue
            copy = replace(answered, response=copy_of(answered.response), usage=NO_TOKENS)
            records.append(replace(_record(read, copy), is_copy=True))
        return records


def _model_fault(model: str | None, job: Job, line: RequestLine) -> RequestError | None:
    try:
        check_line_model(model, job.model, line.number)
    except InvalidArgument as error:
        return error.as_request_error()
    return None


def _record(read: _Read, outcome: Answered | RequestError) -> Record:
    if isinstance(outcome, RequestError):
        payload = jsonl.write_result(read.key, read.metadata, outcome)
        return Record(index=read.index, succeeded=False, payload=payload, labels=read.labels)
    metadata = read.metadata
    if outcome.shortened:
        metadata = (metadata or {}) | SHORTENED
    # What was reused is not lent on: it is gone for others with the batch that it was made for.
    is_own = not (outcome.shortened or outcome.usage.reused_requests)
    return Record(
        index=read.index,
        succeeded=True,
        payload=jsonl.write_result(read.key, metadata, outcome.response),
        usage=outcome.usage,
        labels=read.labels,
        digest=read.digest if is_own else None,
    )
