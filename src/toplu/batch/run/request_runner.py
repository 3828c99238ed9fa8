"""One request of a batch on its way from a line of the input to a line of the output.

    read → answer → write

Whatever happens to it is an outcome: nothing but EngineGivenUp, which says nothing about the
request, is raised.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import msgspec
import structlog

from toplu.batch.line_formats import FORMS
from toplu.batch.plan.order import RequestLine
from toplu.batch.run.executors import Executor
from toplu.clock import random_id
from toplu.engines.translation.answer import RESPONSE_ID_LENGTH
from toplu.errors import Internal, InvalidArgument, RequestError, TopluError
from toplu.fleet.pool import EngineGivenUp
from toplu.job import Job
from toplu.money import NO_TOKENS
from toplu.settings.server import Settings
from toplu.store.blobs.result_log import Record
from toplu.wire.gemini import jsonl
from toplu.wire.gemini.content import GenerateContentResponse
from toplu.wire.gemini.message import FreeForm, Response
from toplu.wire.gemini.token_usage import usage_of

log = structlog.get_logger()

READ_IN_THREAD_FROM_BYTES = 64 * 1024
INTERNAL_MESSAGE = "An internal error has occurred. The server's log has the details."

T = TypeVar("T")
Known = tuple[jsonl.Key, FreeForm | None]  # what the client knows a request by


class RequestRunner:
    """Gives requests of one engine their outcomes."""

    def __init__(self, answers: Executor, settings: Settings) -> None:
        self._answers = answers
        self._line_bytes_max = settings.line_bytes_max

    async def outcomes(
        self,
        job: Job,
        duplicates: Sequence[RequestLine],
        *,
        lane: int,
        begun: Callable[[], None] | None = None,
    ) -> AsyncIterator[list[Record]]:
        """Yield the outcomes of requests that ask the very same, some of them at a time.

        The first one's response is right for all. If it has none, the next is the first. `begun`
        is as for `Answers.answer`.
        """
        for place, line in enumerate(duplicates):
            log.debug("request_started", job=job.id, index=line.index, lane=lane)
            known, outcome = await self._outcome(job, line, lane, begun)
            records = [_record(line, known, outcome)]
            if not isinstance(outcome, RequestError) and (others := duplicates[place + 1 :]):
                records += await asyncio.to_thread(_copies, job, others, outcome)
            for record in records:
                log.debug(
                    "request_finished",
                    job=job.id,
                    index=record.index,
                    succeeded=record.succeeded,
                    is_copy=record.is_copy,
                )
            yield records
            if records[0].succeeded:
                return

    async def _outcome(
        self, job: Job, line: RequestLine, lane: int, begun: Callable[[], None] | None
    ) -> tuple[Known, Response | RequestError]:
        if line.line is None:
            reason = f"the line is longer than {self._line_bytes_max} bytes"
            error = InvalidArgument(f"Error on line {line.number}: {reason}")
            return (None, None), error.as_request_error()
        try:
            read = FORMS[job.method].read
            request_line = await _beside_the_loop(read, line.line, line.number)
            _check_model(request_line.request.model, job, line)
        except InvalidArgument as error:
            known = await _beside_the_loop(jsonl.identify, line.line)
            return known, error.as_request_error()
        known = (request_line.key, request_line.metadata)
        try:
            return known, await self._answers.answer(
                request_line.request,
                project=job.project,
                model=job.model,
                label=f"{job.id}#{line.index}",
                lane=lane,
                begun=begun,
            )
        except EngineGivenUp:
            raise
        except TopluError as error:
            return known, error.as_request_error()
        except Exception:
            # A bug of ours costs this request its response, not the job its other results.
            log.exception("request_crashed", job=job.id, index=line.index)
            return known, Internal(INTERNAL_MESSAGE).as_request_error()


def _copies(job: Job, duplicates: Sequence[RequestLine], response: Response) -> list[Record]:
    """Return the outcomes of requests that the response is right for too: with it they have one."""
    copies = []
    for line in duplicates:
        assert line.line is not None, "a line that was not read is nobody's duplicate"
        request_line = FORMS[job.method].read(line.line, line.number)
        own = response
        if isinstance(own, GenerateContentResponse):
            own = msgspec.structs.replace(own, response_id=random_id(RESPONSE_ID_LENGTH))
        elif isinstance(own, dict):
            own = own | {"responseId": random_id(RESPONSE_ID_LENGTH)}
        record = _record(line, (request_line.key, request_line.metadata), own)
        copies.append(replace(record, usage=NO_TOKENS, is_copy=True))
    return copies


async def _beside_the_loop(read: Callable[..., T], line: bytes, *further: int) -> T:
    """Read the line, in a thread if it is long: a hostile one takes seconds of everybody's time."""
    if len(line) < READ_IN_THREAD_FROM_BYTES:
        return read(line, *further)
    return await asyncio.to_thread(read, line, *further)


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
