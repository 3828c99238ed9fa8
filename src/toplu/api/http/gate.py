"""The gate of every call: whose it is, what may stand in its query, how long its body may be."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from toplu.errors import TYPE_PREFIX, Cancelled, FieldViolation, InvalidArgument, PermissionDenied
from toplu.job import ProjectId
from toplu.projects.keys import Keys
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

NO_KEY = (
    "Method doesn't allow unregistered callers (callers without established identity). "
    "Please use API Key or other form of API consumer identity to call this API."
)
BAD_KEY = "API key not valid. Please pass a valid API key."

READ_IN_THREAD_FROM_BYTES = 64 * 1024

DEFAULT_PROJECT = ProjectId("default")

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
        body = await read_body(self.request, bytes_max)
        if len(body) < READ_IN_THREAD_FROM_BYTES:
            return proto_json.read(message_type, body, mend=mend)
        return await asyncio.to_thread(proto_json.read, message_type, body, mend=mend)


Handler = Callable[[Call], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


class Gate:
    """Turns handlers of calls into endpoints of the router."""

    def __init__(self, *, keys: Keys, any_key_until_first: bool) -> None:
        self._keys = keys
        self._takes_any_key = any_key_until_first

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
        project = await self._project(request)
        _check_query(request, COMMON_QUERY | query)
        _check_form(request, forms)
        return Call(request=request, project=project)

    async def accepts_any_key(self) -> bool:
        """Return whether no key has been made yet, and any will do."""
        if self._takes_any_key and await self._keys.any_exist():
            # The first key ends this for good, even when it is revoked.
            self._takes_any_key = False
        return self._takes_any_key

    async def _project(self, request: Request) -> ProjectId:
        key = _key_of(request)
        if not key:
            raise PermissionDenied(NO_KEY)
        if await self.accepts_any_key():
            return DEFAULT_PROJECT
        project = await self._keys.project_of(key)
        if project is not None:
            return project
        raise InvalidArgument(
            BAD_KEY,
            details=(
                {
                    "@type": f"{TYPE_PREFIX}ErrorInfo",
                    "reason": "API_KEY_INVALID",
                    "domain": "googleapis.com",
                    "metadata": {"service": "generativelanguage.googleapis.com"},
                },
                {
                    "@type": f"{TYPE_PREFIX}LocalizedMessage",
                    "locale": "en-US",
                    "message": BAD_KEY,
                },
            ),
        )


def _key_of(request: Request) -> str | None:
    header = request.headers.get("x-goog-api-key")
    if header:
        return header
    if key := request.query_params.get("key"):
        return key
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


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
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > bytes_max:
                raise too_long
    except ClientDisconnect as error:
        raise Cancelled("The client closed the connection.") from error
    return bytes(body)
