"""The gate of every call: whose it is, what may stand in its query, how long its body may be."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from toplu.api.http.identity import Identity
from toplu.errors import Cancelled, FieldViolation, InvalidArgument, TopluError
from toplu.job import ProjectId
from toplu.wire.gemini import proto_json
from toplu.wire.gemini.message import Message

# Any Google API takes these. Those that change nothing here are `prettyPrint` (an answer is always
# compact), `quotaUser`, `access_token`, `oauth_token` and `$.xgafv`.
COMMON_QUERY = frozenset(
    {
        "alt",
        "prettyPrint",
        "quotaUser",
        "key",
        "access_token",
        "oauth_token",
        "uploadType",
        "upload_protocol",
        "$.xgafv",
    }
)

# Any Google API takes these as well, but they would change the answer, and it is not changed.
UNSERVED_QUERY = {
    "fields": "Partial responses are not served: leave the query parameter fields out.",
    "callback": "JSONP is not served: leave the query parameter callback out.",
}
EVERYTHING = ("", "*")  # `fields` that take nothing away
JSON_ONLY = frozenset({"json"})

BOOLEANS = {"true": True, "1": True, "false": False, "0": False}

READ_IN_THREAD_FROM_BYTES = 64 * 1024

T = TypeVar("T", bound=Message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call that passed the gate."""

    request: Request
    project: ProjectId

    @property
    def version(self) -> str:
        """v1, v1beta or v1alpha, as the client spelled it."""
        return str(self.request.path_params["version"])

    def path(self, name: str) -> str:
        """Return a part of the path by its name in the route."""
        return str(self.request.path_params[name])

    async def read(
        self, message_type: type[T], bytes_max: int, mend: proto_json.Mend | None = None
    ) -> T:
        """Return the body as a message; an empty body is an empty message."""
        return await decode(message_type, await read_body(self.request, bytes_max), mend)


async def decode(message_type: type[T], body: bytes, mend: proto_json.Mend | None = None) -> T:
    """Return a body as a message, a long one without holding up the loop."""
    if len(body) < READ_IN_THREAD_FROM_BYTES:
        return proto_json.read(message_type, body, mend=mend)
    return await asyncio.to_thread(proto_json.read, message_type, body, mend=mend)


Handler = Callable[[Call], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


class Gate:
    """Turns handlers of calls into endpoints of the router."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def endpoint(
        self,
        handler: Handler,
        *,
        query: frozenset[str] = frozenset(),
        forms: frozenset[str] = JSON_ONLY,
    ) -> Endpoint:
        """Return an endpoint that calls the handler for the project of the key.

        `forms` are the values of `alt` that the handler knows.
        """

        async def answer(request: Request) -> Response:
            return await handler(await self.admit(request, query=query, forms=forms))

        return answer

    async def admit(
        self,
        request: Request,
        *,
        query: frozenset[str] = frozenset(),
        forms: frozenset[str] = JSON_ONLY,
    ) -> Call:
        """Return the call with its project, or raise: no key, a bad key, a bad parameter."""
        project = await self._identity.project_of(request)
        structlog.contextvars.bind_contextvars(project=project)
        _check_query(request, COMMON_QUERY | query)
        _check_form(request, forms)
        return Call(request=request, project=project)


def _check_query(request: Request, allowed: frozenset[str]) -> None:
    violations = [
        FieldViolation(
            "",
            f'Invalid JSON payload received. Unknown name "{name}": '
            "Cannot bind query parameter. Field could not be found in request message.",
        )
        for name in dict.fromkeys(request.query_params.keys())
        if name not in allowed and name not in UNSERVED_QUERY
    ]
    if violations:
        raise InvalidArgument.of_fields(violations)
    for name, reason in UNSERVED_QUERY.items():
        if any(value not in EVERYTHING for value in request.query_params.getlist(name)):
            raise InvalidArgument(reason)


def _check_form(request: Request, forms: frozenset[str]) -> None:
    for form in request.query_params.getlist("alt"):
        if form not in forms:
            known = ", ".join(sorted(forms))
            raise InvalidArgument(f'The query parameter alt is "{form}"; known here: {known}.')


async def read_body(request: Request, bytes_max: int) -> bytes:
    """Return the body, or raise InvalidArgument as soon as it is known to be too long."""
    too_long = InvalidArgument(f"Request payload size exceeds the limit: {bytes_max} bytes.")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > bytes_max:
        raise too_long
    body = bytearray()
    async for piece in stream_body(request):
        body += piece
        if len(body) > bytes_max:
            raise too_long
    return bytes(body)


async def stream_body(request: Request) -> AsyncIterator[bytes]:
    """Yield the body as it comes; Cancelled: the client goes away before its end."""
    try:
        async for piece in request.stream():
            if piece:
                yield piece
    except ClientDisconnect as error:
        raise Cancelled("The client closed the connection.") from error


def is_asked(
    request: Request, names: Iterable[str], refusal_of: Callable[[str], TopluError]
) -> bool:
    """Return whether one of the parameters says yes; of a value that is no boolean the refusal."""
    given = [value for name in names for value in request.query_params.getlist(name)]
    for value in given:
        if value not in BOOLEANS:
            raise refusal_of(value)
    return any(BOOLEANS[value] for value in given)
