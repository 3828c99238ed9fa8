"""The OpenAPI document of the Gemini API."""

from typing import Any

from toplu.api.gemini.openapi import ALWAYS_FAILS, CALLS, FAILURES
from toplu.api.gemini.state_style import STATE_STYLE_HEADER, STYLES
from toplu.api.http.error_responses import ErrorBody
from toplu.api.http.openapi.document import Documented

VERSIONS = ["v1beta", "v1", "v1alpha"]
PARAMETER_SCHEMAS: dict[str, dict[str, Any]] = {
    "version": {"enum": VERSIONS},
    "validateOnly": {"type": "boolean"},
    "after": {"type": "string"},
    "wait": {"type": "number"},
    "order": {"enum": ["completion", "input"]},
    "pageSize": {"type": "integer", "minimum": 0},
    "page_size": {"type": "integer", "minimum": 0},
    STATE_STYLE_HEADER: {"enum": sorted(STYLES)},
    "alt": {"enum": ["json", "sse"]},
    "X-Goog-Upload-Protocol": {"enum": ["resumable", "multipart", "raw"]},
    "X-Goog-Upload-Command": {
        "enum": ["start", "upload", "upload, finalize", "finalize", "query", "cancel"]
    },
    "X-Goog-Upload-Offset": {"type": "integer", "minimum": 0},
    "X-Goog-Upload-Header-Content-Length": {"type": "integer", "minimum": 0},
}


GEMINI = Documented(
    title="toplu",
    description="The Gemini Batch API, run on your own models.",
    calls=CALLS,
    error=ErrorBody,
    failures=FAILURES,
    always_fails=ALWAYS_FAILS,
    security={
        "header": {"type": "apiKey", "in": "header", "name": "x-goog-api-key"},
        "query": {"type": "apiKey", "in": "query", "name": "key"},
        "bearer": {"type": "http", "scheme": "bearer"},
    },
    parameters=PARAMETER_SCHEMAS,
)


def document() -> dict[str, Any]:
    """Return the document."""
    return GEMINI.document()
