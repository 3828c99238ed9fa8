"""The OpenAPI 3.1 document of the doors.

The shapes come from the message types themselves, the calls from the table in `openapi`.
"""

from typing import Any

import msgspec

import toplu
from toplu.api.gemini.openapi import ALWAYS_FAILS, CALLS, FAILURES, Operated
from toplu.api.gemini.state_style import STATE_STYLE_HEADER, STYLES
from toplu.api.http.error_responses import ErrorBody

REFERENCE = "#/components/schemas/{name}"
VERSIONS = ["v1beta", "v1", "v1alpha"]
JSON = "application/json"
ANY_BYTES = {"schema": {"type": "string", "format": "binary"}}
NOTHING = {"schema": {"type": "object"}}
# What is known of parameters beyond that they are text.
PARAMETER_SCHEMAS: dict[str, dict[str, Any]] = {
    "version": {"enum": VERSIONS},
    "validateOnly": {"type": "boolean"},
    "pageSize": {"type": "integer", "minimum": 0},
    STATE_STYLE_HEADER: {"enum": sorted(STYLES)},
    "alt": {"enum": ["json", "sse"]},
    "X-Goog-Upload-Protocol": {"enum": ["resumable", "multipart", "raw"]},
    "X-Goog-Upload-Command": {
        "enum": ["start", "upload", "upload, finalize", "finalize", "query", "cancel"]
    },
    "X-Goog-Upload-Offset": {"type": "integer", "minimum": 0},
    "X-Goog-Upload-Header-Content-Length": {"type": "integer", "minimum": 0},
}


def document() -> dict[str, Any]:
    """Return the document."""
    types = [ErrorBody] + [
        kind
        for call in CALLS
        for kind in (call.takes, call.gives, call.dry_gives)
        if kind is not None
    ]
    _, components = msgspec.json.schema_components(types, ref_template=REFERENCE)
    paths: dict[str, dict[str, Any]] = {}
    for call in CALLS:
        paths.setdefault(call.path, {})[call.method] = _operation(call)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "toplu",
            "version": toplu.__version__,
            "description": "The Gemini Batch API, run on your own models.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "security": [{"header": []}, {"query": []}, {"bearer": []}],
        "components": {
            "schemas": components,
            "securitySchemes": {
                "header": {"type": "apiKey", "in": "header", "name": "x-goog-api-key"},
                "query": {"type": "apiKey", "in": "query", "name": "key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def _operation(call: Operated) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": call.summary,
        "parameters": [
            *(_parameter(name, "path", required=True) for name in _names_in(call.path)),
            *(_parameter(name, "query") for name in call.query),
            *(_parameter(name, "header") for name in call.headers),
        ],
        "responses": _responses(call),
    }
    if call.is_health:
        operation["security"] = []
    if call.takes is not None:
        operation["requestBody"] = {"content": _taken(call)}
    return operation


def _responses(call: Operated) -> dict[str, Any]:
    responses = {"200": {"description": "OK", "content": _given(call)}}
    if call.is_health:
        # Faults of health have the same form.
        for status in call.fails:
            responses[str(status)] = {"description": FAILURES[status], "content": _given(call)}
        return responses
    of_bodies = (415, 499) if call.takes is not None else ()
    failed: dict[str, Any] = {JSON: {"schema": _reference(ErrorBody)}}
    if call.streams:
        in_list = {"type": "array", "items": _reference(ErrorBody)}
        failed = {JSON: {"schema": {"anyOf": [_reference(ErrorBody), in_list]}}}
    for status in sorted({*ALWAYS_FAILS, *of_bodies, *call.fails}):
        responses[str(status)] = {"description": FAILURES[status], "content": failed}
    return responses


def _given(call: Operated) -> dict[str, Any]:
    if call.downloads:
        return {"application/octet-stream": ANY_BYTES}
    if call.gives_lines:
        return {"application/jsonl": ANY_BYTES}
    if call.gives is None:
        return {JSON: NOTHING}
    given = _reference(call.gives)
    if call.dry_gives is not None:
        given = {"anyOf": [given, _reference(call.dry_gives)]}
    if call.streams:
        # What fails after the first chunk is the last one.
        chunk = {"anyOf": [given, _reference(ErrorBody)]}
        in_list = {"type": "array", "items": chunk}
        return {JSON: {"schema": in_list}, "text/event-stream": {"schema": chunk}}
    # Until the upload is whole, everything is in headers.
    nothing = {"text/plain": {"schema": {"type": "string", "maxLength": 0}}}
    return {JSON: {"schema": given}} | (nothing if call.uploads else {})


def _taken(call: Operated) -> dict[str, Any]:
    taken = {JSON: {"schema": _reference(call.takes)}}
    return taken | ({"application/octet-stream": ANY_BYTES} if call.uploads else {})


def _names_in(path: str) -> list[str]:
    return [piece.split("}", 1)[0] for piece in path.split("{")[1:]]


def _parameter(name: str, place: str, *, required: bool = False) -> dict[str, Any]:
    schema = {"type": "string"} | PARAMETER_SCHEMAS.get(name, {})
    return {"name": name, "in": place, "schema": schema} | ({"required": True} if required else {})


def _reference(kind: Any) -> dict[str, Any]:
    return {"$ref": REFERENCE.format(name=kind.__name__)}
