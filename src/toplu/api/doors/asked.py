"""Asks a worker on the front door's own behalf: for a part of what it is to answer itself."""

from collections.abc import Sequence

from starlette.types import ASGIApp, Message, Receive, Scope

from toplu.api.doors.forwarded_call import DoorBroke, DoorClosed
from toplu.api.http.error_responses import ErrorBody
from toplu.api.http.identity import PROJECT_HEADER, actor_header
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
        collected = _Collected(body, disconnected)
        try:
            await door(_scope_of(path, project), collected.receive, collected.send)
        except DoorClosed:
            continue
        except DoorBroke:
            raise Internal("The worker that answered has ended. Please try again.") from None
        if collected.status != OK:
            raise _error_in(bytes(collected.written))
        return bytes(collected.written)
    raise NoWorker("No worker with this model is up at the moment. Please try again later.")


class _Collected:
    """The two ends of the call: a body that is there already, and an answer that is kept."""

    def __init__(self, body: bytes, disconnected: Receive) -> None:
        self._body: bytes | None = body
        self._disconnected = disconnected
        self.status = 0
        self.written = bytearray()

    async def receive(self) -> Message:
        if self._body is None:
            return await self._disconnected()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.written += message.get("body", b"")


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
        "headers": [
            (b"content-type", b"application/json"),
            (PROJECT_HEADER.encode(), project.encode()),
            actor_header(),
        ],
        "client": None,
        "server": None,
    }
