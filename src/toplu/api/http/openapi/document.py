"""The OpenAPI 3.1 document of an API.

The shapes come from the message types themselves, the calls from a table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

import toplu
from toplu.api.http.openapi.operated import Operated

REFERENCE = "#/components/schemas/{name}"
JSON = "application/json"
ANY_BYTES = {"schema": {"type": "string", "format": "binary"}}
NOTHING = {"schema": {"type": "object"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Documented:
    """An API: its calls, and what they have in common."""

    title: str
    description: str
    calls: Sequence[Operated]
    error: type  # the body of every failure
    failures: Mapping[int, str]  # what each status means
    always_fails: Sequence[int]  # any call may
    security: Mapping[str, Mapping[str, str]]  # by name, of which any one will do
    parameters: Mapping[str, Mapping[str, Any]]  # what is known of them beyond that they are text
    streams_events: bool = False  # a stream is events alone; else it may be a list as well

    def document(self) -> dict[str, Any]:
        """Return the document."""
        types = [self.error] + [
            kind
            for call in self.calls
            for kind in (call.takes, call.gives, call.dry_gives)
            if kind is not None
        ]
        _, components = msgspec.json.schema_components(types, ref_template=REFERENCE)
        paths: dict[str, dict[str, Any]] = {}
        for call in self.calls:
            paths.setdefault(call.path, {})[call.method] = self._operation(call)
        return {
            "openapi": "3.1.0",
            "info": {
                "title": self.title,
                "version": toplu.__version__,
                "description": self.description,
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "paths": paths,
            "security": [{name: []} for name in self.security],
            "components": {"schemas": components, "securitySchemes": self.security},
        }

    def _operation(self, call: Operated) -> dict[str, Any]:
        operation: dict[str, Any] = {
            "summary": call.summary,
            "parameters": [
                *(self._parameter(name, "path", required=True) for name in _names_in(call.path)),
                *(self._parameter(name, "query") for name in call.query),
                *(self._parameter(name, "header") for name in call.headers),
            ],
            "responses": self._responses(call),
        }
        if call.is_health:
            operation["security"] = []
        if call.takes is not None or call.form is not None:
            operation["requestBody"] = {"content": self._taken(call)}
        return operation

    def _responses(self, call: Operated) -> dict[str, Any]:
        responses = {"200": {"description": "OK", "content": self._given(call)}}
        if call.is_health:
            # Faults of health have the same form.
            for status in call.fails:
                responses[str(status)] = {
                    "description": self.failures[status],
                    "content": self._given(call),
                }
            return responses
        if call.ranges:
            responses["206"] = {"description": "a part of it", "content": self._given(call)}
        has_body = call.takes is not None or call.form is not None
        of_bodies = (415, 499) if has_body else ()
        failed: dict[str, Any] = {JSON: {"schema": _reference(self.error)}}
        if call.streams and not self.streams_events:
            in_list = {"type": "array", "items": _reference(self.error)}
            failed = {JSON: {"schema": {"anyOf": [_reference(self.error), in_list]}}}
        for status in sorted({*self.always_fails, *of_bodies, *call.fails}):
            responses[str(status)] = {"description": self.failures[status], "content": failed}
        return responses

    def _given(self, call: Operated) -> dict[str, Any]:
        if call.downloads:
            return {"application/octet-stream": ANY_BYTES}
        if call.gives_lines:
            return {"application/jsonl": ANY_BYTES}
        if call.gives is None:
            return {JSON: NOTHING}
        given = _reference(call.gives)
        if call.dry_gives is not None:
            given = {"anyOf": [given, _reference(call.dry_gives)]}
        if call.streams and self.streams_events:
            return {JSON: {"schema": given}, "text/event-stream": {"schema": {"type": "string"}}}
        if call.streams:
            # What fails after the first chunk is the last one.
            chunk = {"anyOf": [given, _reference(self.error)]}
            in_list = {"type": "array", "items": chunk}
            return {JSON: {"schema": in_list}, "text/event-stream": {"schema": chunk}}
        # Until the upload is whole, everything is in headers.
        nothing = {"text/plain": {"schema": {"type": "string", "maxLength": 0}}}
        return {JSON: {"schema": given}} | (nothing if call.uploads else {})

    def _taken(self, call: Operated) -> dict[str, Any]:
        if call.form is not None:
            return {"multipart/form-data": {"schema": dict(call.form)}}
        taken = {JSON: {"schema": _reference(call.takes)}}
        return taken | ({"application/octet-stream": ANY_BYTES} if call.uploads else {})

    def _parameter(self, name: str, place: str, *, required: bool = False) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "string", **self.parameters.get(name, {})}
        return {"name": name, "in": place, "schema": schema} | (
            {"required": True} if required else {}
        )


def _names_in(path: str) -> list[str]:
    return [piece.split("}", 1)[0] for piece in path.split("{")[1:]]


def _reference(kind: Any) -> dict[str, Any]:
    return {"$ref": REFERENCE.format(name=kind.__name__)}
