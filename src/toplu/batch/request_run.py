"""One request of a batch on its way from a line of the input to a line of the output.

    read → answer → write

Whatever happens to it is an outcome: nothing but EngineGivenUp, which says nothing about the
request, is raised.
"""

import asyncio
from collections.abc import Callable
from typing import TypeVar

import structlog

from toplu.batch.line_index import RequestLine
from toplu.batch.methods import FORMS, Answers
from toplu.errors import Internal, InvalidArgument, RequestError, TopluError
from toplu.fleet.pool import EngineGivenUp
from toplu.gemini import jsonl
from toplu.gemini.message import Message
from toplu.gemini.token_usage import usage_of
from toplu.job import Job
from toplu.money import NO_TOKENS
from toplu.settings import Settings
from toplu.store.result_log import Record

log = structlog.get_logger()

READ_IN_THREAD_FROM_BYTES = 64 * 1024
INTERNAL_MESSAGE = "An internal error has occurred. The server's log has the details."

T = TypeVar("T")


class RequestRun:
    """Gives requests of one engine their outcomes."""

    def __init__(self, answers: Answers, settings: Settings) -> None:
        self._answers = answers
        self._line_bytes_max = settings.line_bytes_max

    async def outcome(self, job: Job, line: RequestLine, *, lane: int) -> Record:
        """Answer the request on the lane, or say what is wrong with it."""
        if line.line is None:
            reason = f"the line is longer than {self._line_bytes_max} bytes"
            error = InvalidArgument(f"Error on line {line.number}: {reason}")
            return _record(line, None, None, error.as_request_error())
        try:
            read = FORMS[job.method].read
            request_line = await _beside_the_loop(read, line.line, line.number)
            _check_model(request_line.request.model, job, line)
        except InvalidArgument as error:
            key, metadata = await _beside_the_loop(jsonl.identify, line.line)
            return _record(line, key, metadata, error.as_request_error())
        outcome: Message | RequestError
        try:
            outcome = await self._answers.answer(
                request_line.request,
                project=job.project,
                label=f"{job.id}#{line.index}",
                lane=lane,
            )
        except EngineGivenUp:
            raise
        except TopluError as error:
            outcome = error.as_request_error()
        except Exception:
            # A bug of ours costs this request its response, not the job its other results.
            log.exception("request_crashed", job=job.id, index=line.index)
            outcome = Internal(INTERNAL_MESSAGE).as_request_error()
        return _record(line, request_line.key, request_line.metadata, outcome)


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


def _record(
    line: RequestLine,
    key: jsonl.Key,
    metadata: dict[str, object] | None,
    outcome: Message | RequestError,
) -> Record:
    return Record(
        index=line.index,
        succeeded=not isinstance(outcome, RequestError),
        payload=jsonl.write_result(key, metadata, outcome),
        usage=NO_TOKENS if isinstance(outcome, RequestError) else usage_of(outcome),
    )
