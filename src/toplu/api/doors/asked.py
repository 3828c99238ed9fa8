"""Asks a worker on the front door's own behalf: for a part of what it is to answer itself."""

from collections.abc import Sequence

from starlette.types import ASGIApp, Message, Receive, Scope

from toplu.api.doors.forwarded_call import (
    NO_WORKER,
    WORKER_ENDED,
    DoorBroke,
    DoorClosed,
    ReplayedBody,
    own_headers,
)
from toplu.api.http.error_responses import ErrorBody
from toplu.errors import Internal, NoWorker, TopluError
from toplu.job import ProjectId
from toplu.wire.gemini import proto_json

OK = 200
KINDS = {kind.code.name: kind for kind in TopluError.__subclasses__()}


async def ask(
    doors: Sequence[ASGIApp], project: ProjectId, path: str, body: bytes, disconnected: Receive
) -> bytes:
    """Return the body that the first door answers that is open, to a POST of JSON.

    `disconnected` returns when the client that this is for has gone away, which ends the question.
    Raises the error that it answers, NoWorker if all doors are closed, Internal if the worker ends
    in between.
    """
    for door in doors:
        answer = _Answer()
        question = ReplayedBody(body, disconnected)
        try:
            await door(_scope_of(path, project), question.receive, answer.send)
        except DoorClosed:
            continue
        except DoorBroke:
            raise Internal(WORKER_ENDED) from None
        if answer.status != OK:
            raise _error_in(bytes(answer.body))
        return bytes(answer.body)
    raise NoWorker(NO_WORKER)


class _Answer:
    """The answer, kept as it comes."""

    def __init__(self) -> None:
        self.status = 0
        self.body = bytearray()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.body += message.get("body", b"")


def _error_in(body: bytes) -> TopluError:
    error = proto_json.read(ErrorBody, body).error
    return KINDS.get(error.status, Internal)(error.message, details=error.details)


def _scope_of(path: str, project: ProjectId) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), *own_headers(project)],
        "client": None,
        "server": None,
    }
