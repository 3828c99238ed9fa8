"""Errors out: the one place that renders a failed call, as google.rpc.Status inside `error`."""

import math

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from toplu.api.http.responses import json_response
from toplu.disk_faults import StorageAway, is_disk_fault
from toplu.errors import (
    DatabaseAway,
    Internal,
    NotFound,
    TopluError,
    Unavailable,
    UnsupportedEncoding,
)
from toplu.wire.gemini.message import FreeForm, Message

log = structlog.get_logger()

ACCEPTED_CODINGS = "gzip, deflate"  # of bodies; `middleware.content_encoding` decodes them


class ErrorStatus(Message, frozen=True, kw_only=True):
    """A google.rpc.Status as Google's front end writes it; `code` is the HTTP status."""

    code: int
    message: str
    status: str
    details: tuple[FreeForm, ...] = ()


class ErrorBody(Message, frozen=True, kw_only=True):
    """The body of a failed call, as clients of every Google API expect it."""

    error: ErrorStatus


def body_of(error: TopluError) -> ErrorBody:
    """Return the body of the answer."""
    return ErrorBody(
        error=ErrorStatus(
            code=error.http_status,
            message=error.message,
            status=error.code.name,
            details=error.details,
        )
    )


async def render(request: Request, error: Exception, *, in_list: bool = False) -> Response:
    """Answer with the error, whatever it is; in a list of one where a list would have come."""
    failure = failure_of(request, error)
    body = body_of(failure)
    return await json_response(
        request,
        [body] if in_list else body,
        status=failure.http_status,
        headers=headers_of(failure),
    )


def headers_of(failure: TopluError) -> dict[str, str]:
    """Return the headers that say what a client may do about the error."""
    if failure.retry_seconds is not None:
        return {"Retry-After": str(math.ceil(failure.retry_seconds))}
    if isinstance(failure, UnsupportedEncoding):
        return {"Accept-Encoding": ACCEPTED_CODINGS}  # RFC 9110, 15.5.16
    return {}


def failure_of(request: Request, error: Exception) -> TopluError:
    """Return the failed call that an exception stands for; the log gets what nobody expected."""
    if isinstance(error, HTTPException):
        # Only the router raises these, for a path or method that nobody serves.
        error = NotFound(f"Method not found: {request.method} {request.url.path}")
    if isinstance(error, StorageAway):
        log.warning("storage_away", path=request.url.path)
        return DatabaseAway("The server's database does not answer at the moment. Try again.")
    if is_disk_fault(error):
        log.error("storage_failed", path=request.url.path, reason=error.strerror)
        return Unavailable(
            f"The server cannot write to its storage at the moment: {error.strerror}. Try again "
            "when it has space."
        )
    if not isinstance(error, TopluError):
        log.error("call_crashed", path=request.url.path, exc_info=error)
        error = Internal("An internal error has occurred. The server's log has the details.")
    return error
