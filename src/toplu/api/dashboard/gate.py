"""The gate of every page: who looks, which form is theirs, and errors as pages."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import quote

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response

from toplu.api.dashboard.rendering import HEADERS, render
from toplu.api.dashboard.visitor import TOKEN, Sessions, Visitor
from toplu.api.doors.forwarded_call import ReplayedBody
from toplu.api.http.gate import Call
from toplu.disk_faults import is_disk_fault
from toplu.errors import Cancelled, InvalidArgument, TopluError
from toplu.job import ProjectId
from toplu.settings.server import MIB

log = structlog.get_logger()

FORM_BYTES_MAX = MIB
FIELDS_MAX = 64
SEE_OTHER = 303
SIGN_IN = "/ui/sign-in"
VERSION = "v1beta"  # of the API, in which names and receipts are written


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A look at a page, or a form that was sent."""

    request: Request
    visitor: Visitor

    @property
    def project(self) -> ProjectId:
        return self.visitor.project

    def path(self, name: str) -> str:
        """Return a part of the path by its name in the route."""
        return str(self.request.path_params[name])

    def asked(self, name: str) -> str:
        """Return a parameter of the query, empty if it is not there."""
        return self.request.query_params.get(name, "")

    def as_call(self, body: bytes = b"", query: bytes = b"") -> Call:
        """Return the visit as a call of an API, for a handler of it."""
        scope = self.request.scope
        changes = {
            "path_params": {**scope["path_params"], "version": VERSION},
            "query_string": query,
            # Those of a form say nothing true of another body.
            "headers": [] if body else scope["headers"],
        }
        request = Request({**scope, **changes}, ReplayedBody(body, self.request.receive).receive)
        return Call(request=request, project=self.project)


Handler = Callable[[Visit], Awaitable[Response]]
FormHandler = Callable[[Visit, dict[str, str]], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


class PageGate:
    """Turns handlers of pages and forms into endpoints of the router."""

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions

    def page(self, handler: Handler) -> Endpoint:
        """Return an endpoint for whoever has signed in; others are sent to do so."""

        async def answer(request: Request) -> Response:
            visitor = await self.sessions.visitor_of(request)
            if visitor is None:
                return _to_sign_in(request)
            return await handler(Visit(request=request, visitor=visitor))

        return answer

    def form(self, handler: FormHandler) -> Endpoint:
        """Return an endpoint that takes a form, if it is one of the visitor's own."""

        async def answer(visit: Visit) -> Response:
            fields = await read_fields(visit.request)
            self.sessions.check_token(visit.visitor, fields.get(TOKEN))
            return await handler(visit, fields)

        return self.page(answer)


async def read_fields(request: Request) -> dict[str, str]:
    """Return the fields of a form without files; InvalidArgument if it is too large, or none."""
    declared = request.headers.get("content-length", "")
    if not declared.isdecimal() or int(declared) > FORM_BYTES_MAX:
        raise InvalidArgument(
            f"A form says how long it is, and has {FORM_BYTES_MAX} bytes at most."
        )
    try:
        async with request.form(max_files=0, max_fields=FIELDS_MAX) as form:
            return {name: value for name, value in form.items() if isinstance(value, str)}
    except ClientDisconnect as error:
        raise Cancelled("The client closed the connection.") from error
    except HTTPException as error:
        raise InvalidArgument(f"The form cannot be read: {error.detail}") from error


async def show_error(request: Request, error: Exception) -> Response:
    """Answer with a page that says what is wrong."""
    if isinstance(error, TopluError):
        status, message = error.http_status, error.message
    elif isinstance(error, HTTPException):
        status, message = error.status_code, error.detail
    else:
        log.error("page_failed", path=request.url.path, exc_info=error)
        status, message = 500, "The server has a fault; its log says more."
        if is_disk_fault(error):
            status, message = 503, "The disk of the server is full, or fails."
    return render("error.html", None, status=status, message=message.strip(), http_status=status)


def see(path: str) -> Response:
    """Return the answer to a form: the page to look at next."""
    return RedirectResponse(path, status_code=SEE_OTHER, headers=HEADERS)


def _to_sign_in(request: Request) -> Response:
    if request.method != "GET":
        return see(SIGN_IN)
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return see(SIGN_IN if wanted == "/" else f"{SIGN_IN}?next={quote(wanted, safe='')}")
