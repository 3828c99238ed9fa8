"""The OpenAPI document of OpenAI's API, served without a key."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from toplu.api.http.openapi.document import Documented
from toplu.api.http.responses import json_response
from toplu.api.openai.document.calls import ALWAYS_FAILS, CALLS, FAILURES
from toplu.api.openai.gate import PREFIX
from toplu.wire.openai.error import ErrorBody

PATH = f"{PREFIX}/openapi.json"
OPENAI = Documented(
    title="toplu: OpenAI's API",
    description="The part of OpenAI's API that toplu serves, and what it has beside it.",
    calls=CALLS,
    error=ErrorBody,
    failures=FAILURES,
    always_fails=ALWAYS_FAILS,
    security={"bearer": {"type": "http", "scheme": "bearer"}},
    parameters={
        "limit": {"type": "integer", "minimum": 1},
        "order": {"enum": ["asc", "desc"]},
        "validate_only": {"type": "boolean"},
        "purpose": {"enum": ["batch", "user_data", "vision"]},
    },
    streams_events=True,
)


async def show_document(request: Request) -> Response:
    """Answer with the document."""
    return await json_response(request, OPENAI.document())


def routes() -> list[Route]:
    """Return the route of the document."""
    return [Route(PATH, show_document, methods=["GET"])]
