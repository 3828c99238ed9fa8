"""Proves what a server that speaks the Gemini API answers, by what its request asked for.

The server is to hold its answers to the form itself; whether they have it is found out here.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

import msgspec

from toplu.engines.functions.declarations import read_validators, wants_call
from toplu.errors import FieldViolation, InvalidArgument
from toplu.fleet.adapters.further_attempt import NO_CALL, find_call_fault, write_violation
from toplu.structured.bounds import SchemaBounds
from toplu.structured.guard.threads import run_costly
from toplu.structured.response_format import ENUM, JSON, read_proof
from toplu.structured.schema_fault import SchemaFault, printable
from toplu.structured.structure import Proof
from toplu.structured.validator import Validator
from toplu.wire.gemini.content import FinishReason, GenerateContentRequest, GenerationConfig
from toplu.wire.gemini.message import FreeForm

P = ParamSpec("P")
T = TypeVar("T")

# As `responseFormat` names it.
JSON_FORMATS = ("APPLICATION_JSON", JSON)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseProof:
    """The proof that the finished candidates of a response must pass."""

    structure: Proof | None  # of an answer in text
    functions: Mapping[str, Validator] | None  # that may be called; None: not declared
    wants_call: bool

    async def find_faults(self, response: FreeForm) -> dict[int, FreeForm]:
        """Return the candidates that may not go out as they are, as they may, by their places."""
        return await self.run(self._find_faults, response)

    async def run(self, prove: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `prove` returns, which holds answers against this proof.

        It runs here, or beside the event loop if that may take seconds.
        """
        validators = [] if self.structure is None else [self.structure.validator]
        validators += [] if self.functions is None else self.functions.values()
        if any(each.is_guarded for each in validators):
            return await run_costly(prove, *args, **kwargs)
        return prove(*args, **kwargs)

    def _find_faults(self, response: FreeForm) -> dict[int, FreeForm]:
        judged = (
            (place, self._judge(candidate))
            for place, candidate in enumerate(response.get("candidates") or [])
            if isinstance(candidate, dict)
        )
        return {place: candidate for place, candidate in judged if candidate is not None}

    def find_fault(self, text: str, *, calls: int) -> FreeForm:
        """Return how a finished answer with so many right calls ends; nothing: as it says."""
        if not calls and self.wants_call and self.functions:
            return malformed_call(NO_CALL)
        if calls or self.structure is None:
            return {}
        violation = self.structure.find_violation(text)
        if violation is None:
            return {}
        reason = FinishReason.OTHER.value
        return {"finishReason": reason, "finishMessage": write_violation(violation)}

    def find_call_fault(self, call: Any) -> str:
        """Return why a call may not be made; empty: it may."""
        if self.functions is None:
            return ""
        name, arguments = call.get("name"), call.get("args")
        return find_call_fault(str(name), {} if arguments is None else arguments, self.functions)

    def _judge(self, candidate: FreeForm) -> FreeForm | None:
        if candidate.get("finishReason") != FinishReason.STOP:
            return None
        parts = parts_of(candidate)
        calls = [part["functionCall"] for part in parts if is_call(part)]
        for number, call in enumerate(calls):
            if fault := self.find_call_fault(call):
                kept = without_calls(parts, behind=number)
                return with_parts(candidate, kept) | malformed_call(fault)
        fault_of_text = self.find_fault("".join(map(text_of, parts)), calls=len(calls))
        return candidate | fault_of_text if fault_of_text else None


def read_response_proof(
    request: GenerateContentRequest, bounds: SchemaBounds
) -> ResponseProof | None:
    """Return what proves the answer; None: there is nothing to prove.

    InvalidArgument: a schema of the request is none, or is over a bound.
    """
    config = request.generation_config
    try:
        structure = None if config is None else read_proof(_with_text_format(config), bounds)
        functions = read_validators(request, bounds)
    except SchemaFault as fault:
        path, reason = printable(fault.path), printable(fault.reason)
        violation = FieldViolation(path, f"* GenerateContentRequest.{path}: {reason}\n")
        raise InvalidArgument.of_fields([violation]) from fault
    if structure is None and functions is None:
        return None
    return ResponseProof(structure=structure, functions=functions, wants_call=wants_call(request))


def asks_for_form(request: GenerateContentRequest) -> bool:
    """Return whether there may be something to prove, without reading any schema."""
    config = request.generation_config or GenerationConfig()
    return (
        config.response_mime_type in (JSON, ENUM)
        or config.response_format is not None
        or any(tool.function_declarations for tool in request.tools or [])
    )


def candidates_of(response: FreeForm) -> list[FreeForm]:
    """Return the candidates, whatever stands in their place."""
    return _objects(response.get("candidates"))


def parts_of(candidate: FreeForm) -> list[FreeForm]:
    """Return the parts of a candidate or of a chunk of one."""
    content = candidate.get("content")
    return _objects(content.get("parts")) if isinstance(content, dict) else []


def with_parts(candidate: FreeForm, parts: list[FreeForm]) -> FreeForm:
    """Return the candidate with these parts alone."""
    return candidate | {"content": candidate["content"] | {"parts": parts}}


def text_of(part: FreeForm) -> str:
    """Return the text of the answer in a part; a thought has none."""
    text = part.get("text")
    return text if isinstance(text, str) and not part.get("thought") else ""


def is_call(part: FreeForm) -> bool:
    """Return whether the part calls a function."""
    return isinstance(part.get("functionCall"), dict)


def without_calls(parts: Iterable[FreeForm], *, behind: int) -> list[FreeForm]:
    """Return the parts with their first calls alone."""
    return list(_without_calls(parts, behind))


def malformed_call(fault: str) -> FreeForm:
    """Return how a candidate ends whose calls are not right."""
    reason = FinishReason.MALFORMED_FUNCTION_CALL.value
    return {"finishReason": reason, "finishMessage": fault}


def _without_calls(parts: Iterable[FreeForm], most: int) -> Iterator[FreeForm]:
    for part in parts:
        if is_call(part):
            if most == 0:
                continue
            most -= 1
        yield part


def _objects(value: Any) -> list[FreeForm]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _with_text_format(config: GenerationConfig) -> GenerationConfig:
    """Return the settings with the form of `responseFormat.text` under its older names."""
    given = config.response_format
    text = given.get("text") if isinstance(given, dict) else None
    if not isinstance(text, dict):
        return config
    schema = text.get("schema", text.get("jsonSchema"))
    named = text.get("mimeType", text.get("mime_type"))
    if schema is None and named not in JSON_FORMATS:
        return config
    return msgspec.structs.replace(
        config, response_mime_type=JSON, response_schema=None, response_json_schema=schema
    )
