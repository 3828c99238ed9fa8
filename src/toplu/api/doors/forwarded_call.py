"""The doors of workers, as the front door sees them: each is an application that answers calls.

    client ──▶ front door ── the call, with its project ──▶ a worker's door ──▶ its engines

In one process that is the worker's own application; else `api.doors.socket_door` stands for it.
"""

from collections.abc import Callable, Sequence
from typing import Protocol
from urllib.parse import urlencode

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from toplu.api.http.identity import PROJECT_HEADER, actor_header
from toplu.errors import Cancelled, Internal, NoWorker, TopluError
from toplu.job import ProjectId
from toplu.tracing.spans import SPANS

log = structlog.get_logger()

# All that a worker needs to know of a call's headers.
PASSED_HEADERS = frozenset(
    {b"accept", b"accept-encoding", b"content-type", b"idempotency-key", b"user-agent"}
)
# By these a worker goes on the trace of the caller, where the front door has none of its own.
CONTEXT_HEADERS = frozenset({b"traceparent", b"tracestate"})
# Who may call has been found out; a key is nothing for others to see.
KEY_PARAMETERS = frozenset({"key", "access_token", "oauth_token"})
NO_WORKER = "No worker with this model is up at the moment. Please try again later."
WORKER_ENDED = "The worker that answered has ended. Please try again."


class DoorClosed(Exception):
    """Nobody answers at the door, and nothing of an answer has come: the call may go elsewhere."""


class DoorBroke(Exception):
    """The worker ended in the middle of its answer."""


class Doors(Protocol):
    """Finds the doors of the workers that have a model."""

    async def of(self, engine: str, body: bytes) -> Sequence[ASGIApp]:
        """Return the doors at which a call may be answered, the best one first.

        Calls whose bodies begin alike come to the same door, where their prefix is kept.
        """
        ...

    async def figures(self) -> Sequence[bytes]:
        """Return what the workers of other processes answer to a monitor."""
        ...


class OwnDoor:
    """The door of the worker in this process, which has every model."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def of(self, engine: str, body: bytes) -> Sequence[ASGIApp]:  # noqa: ARG002  # one
        return [self._app]

    async def figures(self) -> Sequence[bytes]:
        return ()


# What ends an answer that is broken off, if there is an end that its readers understand.
EndOf = Callable[[TopluError], bytes]


class ForwardedCall(Response):
    """A call that a worker answers; the answer goes to the client as it comes."""

    def __init__(
        self,
        doors: Sequence[ASGIApp],
        project: ProjectId,
        body: bytes,
        *,
        end_of: EndOf | None = None,
    ) -> None:
        self._doors = doors
        self._project = project
        self._body = body
        self._end_of = end_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with what the first door gives that is open; NoWorker if all are closed."""
        passed = _passed_scope(scope, self._project)
        for door in self._doors:
            try:
                await door(passed, ReplayedBody(self._body, receive).receive, send)
            except DoorClosed:
                continue
            except DoorBroke:
                await self._break_off(send)
            except Cancelled:
                pass  # nobody is there to read an end
            return
        raise NoWorker(NO_WORKER)

    async def _break_off(self, send: Send) -> None:
        """End a stream with an error; the connection of any other answer is broken off."""
        log.warning("answer_broken_off", reason="the worker has ended")
        if self._end_of is not None:
            end = self._end_of(Internal(WORKER_ENDED))
            await send({"type": "http.response.body", "body": end, "more_body": False})


class ReplayedBody:
    """The body that was read, and behind it what the connection has to say."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body = body
        self._receive = receive
        self._is_told = False

    async def receive(self) -> Message:
        if self._is_told:
            return await self._receive()
        self._is_told = True
        return {"type": "http.request", "body": self._body, "more_body": False}


def own_headers(project: ProjectId) -> list[tuple[bytes, bytes]]:
    """Return what the front door says of each call: whose it is, who acts, and on which trace."""
    context = [(name.encode(), value.encode()) for name, value in SPANS.headers().items()]
    return [*context, (PROJECT_HEADER.encode(), project.encode()), actor_header()]


def _passed_scope(scope: Scope, project: ProjectId) -> Scope:
    own = own_headers(project)
    is_traced = any(name in CONTEXT_HEADERS for name, _ in own)
    passed = PASSED_HEADERS if is_traced else PASSED_HEADERS | CONTEXT_HEADERS
    headers = [(name, value) for name, value in scope["headers"] if name in passed] + own
    query = Request(scope).query_params.multi_items()
    kept = [(name, value) for name, value in query if name not in KEY_PARAMETERS]
    names = ("type", "asgi", "http_version", "method", "scheme", "path", "raw_path", "client")
    return {name: scope[name] for name in names if name in scope} | {
        "root_path": "",
        "server": scope.get("server"),
        "headers": headers,
        "query_string": urlencode(kept).encode(),
    }
