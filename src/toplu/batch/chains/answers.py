"""The parts of a result that another line can have: its text, its JSON, how it ended."""

from functools import cached_property
from typing import Any

import msgspec

from toplu.wire.gemini.proto_json import REFUSALS


class _Part(msgspec.Struct):
    text: str = ""
    thought: bool = False


class _Content(msgspec.Struct):
    parts: list[_Part] = []


class _Candidate(msgspec.Struct, rename="camel"):
    content: _Content = msgspec.field(default_factory=_Content)
    finish_reason: str = ""


class _Response(msgspec.Struct):
    candidates: list[_Candidate] = []


class _Result(msgspec.Struct):
    """The parts of an output line that others may ask for."""

    response: _Response | None = None


_decoder = msgspec.json.Decoder(_Result)
_MISSING = object()


class Answer:
    """The first candidate of a result; one that failed has none."""

    def __init__(self, line: bytes) -> None:
        try:
            response = _decoder.decode(line).response
        except REFUSALS:
            response = _Response()  # of a relayed server, in no form that has a text
        self.has_failed = response is None
        candidates = [] if response is None else response.candidates
        self._candidate = candidates[0] if candidates else None

    def find(self, field: str) -> str | None:
        """Return what `text`, `finishReason`, `json` or `json.PATH` is; None: there is no such."""
        if self._candidate is None:
            return None
        name, _, path = field.partition(".")
        match name, path:
            case "text", "":
                return self._text
            case "finishReason", "":
                return self._candidate.finish_reason or None
            case "json", _:
                value = _step_into(self._value, path.split(".") if path else [])
                return None if value is _MISSING else _written(value)
            case _:
                return None

    @cached_property
    def _text(self) -> str:
        assert self._candidate is not None, "asked for one that there is"
        return "".join(part.text for part in self._candidate.content.parts if not part.thought)

    @cached_property
    def _value(self) -> Any:
        try:
            return msgspec.json.decode(self._text.encode())
        except REFUSALS:
            return _MISSING


def is_field(field: str) -> bool:
    """Return whether there may be such a thing of an answer."""
    return field in ("text", "finishReason", "json") or field.startswith("json.")


def _step_into(value: Any, steps: list[str]) -> Any:
    for step in steps:
        if isinstance(value, dict):
            value = value.get(step, _MISSING)
        elif isinstance(value, list) and step.isdecimal() and step.isascii():
            is_short = len(step) <= len(str(len(value)))  # a number of any length takes its time
            value = value[int(step)] if is_short and int(step) < len(value) else _MISSING
        else:
            return _MISSING
    return value


def _written(value: Any) -> str:
    """Return a text as it is, and anything else as JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
