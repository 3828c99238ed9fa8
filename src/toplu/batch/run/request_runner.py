"""One request of a batch on its way from a line of the input to a line of the output.

    read → answer → write

Whatever happens to it is an outcome: nothing but EngineGivenUp, which says nothing about the
request, is raised.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Any

import structlog

from toplu.batch.line_formats import FORMS
from toplu.batch.plan.order import RequestLine
from toplu.batch.run.executors import Executor
from toplu.engines.translation.copied_answer import copy_of
from toplu.errors import Internal, InvalidArgument, RequestError, TopluError
from toplu.fleet.pool import EngineGivenUp
from toplu.job import Job
from toplu.money import NO_TOKENS
from toplu.settings.server import Settings
from toplu.store.blobs.result_log import Record
from toplu.wire.gemini import jsonl
from toplu.wire.gemini.message import FreeForm, Response
from toplu.wire.gemini.token_usage import usage_of

log = structlog.get_logger()

READ_IN_THREAD_FROM_BYTES = 64 * 1024
INTERNAL_MESSAGE = "An internal error has occurred. The server's log has the details."

Known = tuple[jsonl.Key, FreeForm | None]  # what the client knows a request by


class RequestRunner:
    """Gives requests of one engine their outcomes."""

    def __init__(self, answers: Executor, settings: Settings) -> None:
        self._answers = answers
        self._settings = settings

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
        for place, line in enumerate(duplicates):
            log.debug("request_started", job=job.id, index=line.index, lane=lane)
            known, request = await self._read(job, line)
            outcome = request
            if not isinstance(request, RequestError):
                outcome = await self._answer(job, line, request, lane, begun)
            records = [_record(line, known, outcome)]
            others = duplicates[place + 1 :]
            may_copy = others and await self._may_copy(job, request, outcome)
            if may_copy:
                records += await asyncio.to_thread(self._copies, job, others, outcome)
            _log_finished(job, records)
            yield records
            if may_copy:
                return

    async def _read(self, job: Job, line: RequestLine) -> tuple[Known, Any]:
        """Return what the client knows the line by, and its request or why there is none.

        A long line is read in a thread: a hostile one takes seconds of everybody's time.
        """
        if len(line.line or b"") < READ_IN_THREAD_FROM_BYTES:
            return self._read_now(job, line)
        return await asyncio.to_thread(self._read_now, job, line)

    def _read_now(self, job: Job, line: RequestLine) -> tuple[Known, Any]:
        if line.line is None:
            reason = f"the line is longer than {self._settings.line_bytes_max} bytes"
            error = InvalidArgument(f"Error on line {line.number}: {reason}")
            return (None, None), error.as_request_error()
        try:
            read = FORMS[job.method].read(line.line, line.number)
            _check_model(read.request.model, job, line)
        except InvalidArgument as error:
            return jsonl.identify(line.line), error.as_request_error()
        return (read.key, read.metadata), read.request

    async def _answer(
        self,
        job: Job,
        line: RequestLine,
        request: Any,
        lane: int,
        begun: Callable[[], None] | None,
    ) -> Response | RequestError:
        try:
            return await self._answers.answer(
                request,
                project=job.project,
                model=job.model,
                label=f"{job.id}#{line.index}",
                lane=lane,
                begun=begun,
            )
        except EngineGivenUp:
            raise
        except TopluError as error:
            return error.as_request_error()
        except Exception:
            # A bug of ours costs this request its response, not the job its other results.
            log.exception("request_crashed", job=job.id, index=line.index)
            return Internal(INTERNAL_MESSAGE).as_request_error()

    async def _may_copy(self, job: Job, request: Any, outcome: Response | RequestError) -> bool:
        if isinstance(outcome, RequestError):
            return False
        if self._settings.deduplication == "all":
            return True
        return await self._answers.may_copy(request, project=job.project, model=job.model)

    def _copies(
        self, job: Job, duplicates: Sequence[RequestLine], response: Response
    ) -> list[Record]:
        """Return the outcomes of duplicates: each passes its own checks before it has a copy."""
        records = []
        for line in duplicates:
            known, request = self._read_now(job, line)
            if isinstance(request, RequestError):
                records.append(_record(line, known, request))
                continue
            record = _record(line, known, copy_of(response))
            records.append(replace(record, usage=NO_TOKENS, is_copy=True))
        return records


def _check_model(model: str | None, job: Job, line: RequestLine) -> None:
    if model is not None and model.removeprefix("models/") != job.model:
        raise InvalidArgument(
            f"Error on line {line.number}: model {model} is not the model of the batch, "
            f"models/{job.model}"
        )


def _record(line: RequestLine, known: Known, outcome: Response | RequestError) -> Record:
    return Record(
        index=line.index,
        succeeded=not isinstance(outcome, RequestError),
        payload=jsonl.write_result(*known, outcome),
        usage=NO_TOKENS if isinstance(outcome, RequestError) else usage_of(outcome),
    )


def _log_finished(job: Job, records: Sequence[Record]) -> None:
    for record in records:
        log.debug(
            "request_finished",
            job=job.id,
            index=record.index,
            succeeded=record.succeeded,
            is_copy=record.is_copy,
        )
