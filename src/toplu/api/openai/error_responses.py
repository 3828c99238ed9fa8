"""Errors out, in OpenAI's form; what an exception stands for is the same for all APIs."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from toplu.api.http import error_responses
from toplu.api.http.responses import json_response
from toplu.api.openai.translation.errors import failure_of
from toplu.errors import NotFound, TopluError
from toplu.wire.openai.error import ErrorBody

HTTP_TOO_MANY = 429


async def render(request: Request, error: Exception) -> Response:
    """Answer with the error, whatever it is."""
    if isinstance(error, HTTPException):
        error = NotFound(f"Unknown request URL: {request.method} {request.url.path}")
    fault = error_responses.failure_of(request, error)
    failure = failure_of(fault)
    headers = error_responses.headers_of(fault)
    if failure.status == HTTP_TOO_MANY:
        # What OpenAI's own SDKs wait by, before the whole seconds of the other one.
        headers |= {"retry-after-ms": str(round(1000 * (fault.retry_seconds or 1.0)))}
    return await json_response(request, failure.body, status=failure.status, headers=headers)


def body_of(error: TopluError) -> ErrorBody:
    """Return the body of the answer, or a last chunk."""
    return failure_of(error).body
