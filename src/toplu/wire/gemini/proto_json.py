"""Reads a message from JSON as protobuf does, whatever spelling the client chose.

    body ──▶ strict decoder ──────────────────────────────────▶ message
                  │ refused                                        ▲
                  ▼                                                │
             strict JSON, else lenient JSON ──▶ normalise ──▶ convert

`normalise` goes by the message's type: it knows both spellings of each name, null for absent,
one value for a list of one, and the many forms of scalars. It collects every fault, so that a
client sees all of them at once. Free-form fields are left as they came.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from toplu.errors import FieldViolation, InvalidArgument
from toplu.wire.gemini import lenient_json
from toplu.wire.gemini.message import Message
from toplu.wire.gemini.scalar import Scalar, proto_type, scalar_of

T = TypeVar("T", bound=Message)

FAULTS_MAX = 100  # in one answer; a body of a million typos gets the first hundred
QUOTED_LENGTH_MAX = 200  # of a name or value in an error

# What msgspec raises on JSON that it will not take; too deep a nesting is a RecursionError.
REFUSALS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

# Google's second name for a field, beside its two regular spellings.
_ALIASES = {"response_json_schema": "_responseJsonSchema"}


# Puts right, in a parsed value, what an older client puts in the wrong place.
Mend = Callable[[Any], None]


def read(message_type: type[T], body: bytes, at: str = "", *, mend: Mend | None = None) -> T:
    """Return the message, or raise InvalidArgument with every fault and its place.

    `at` is the path of the message itself, for the errors. A blank body is an empty message.
    `mend` gets what the message's type does not take as it came.
    """
    try:
        message: T = _strict_decoder(message_type).decode(body)
    except REFUSALS:
        value = _read_json(body)
        if mend is not None:
            mend(value)
        return read_value(message_type, value, at)
    if lenient_json.is_too_deep(body):
        lenient_json.parse(body)  # raises, and shows where
    return message


def read_value(message_type: type[T], value: Any, at: str = "") -> T:
    """Return the message that an already parsed JSON value stands for, or raise as `read` does."""
    if not isinstance(value, dict):
        fault = _Fault(name="", reason="Root element must be a message.")
        raise _error([fault.below(at)])
    faults: list[_Fault] = []
    normal = _normalise(message_type, value, faults)
    if faults:
        raise _error([fault.below(at) for fault in faults[:FAULTS_MAX]])
    try:
        return msgspec.convert(normal, message_type)
    except msgspec.ValidationError as error:
        # No scalar is left that could be wrong; a required field may be missing.
        description = f"Invalid value at '{at}': {error}"
        raise InvalidArgument.of_fields([FieldViolation(at, description)]) from error


def _read_json(body: bytes) -> Any:
    try:
        value = msgspec.json.decode(body)
    except REFUSALS:
        return lenient_json.parse(body)
    return lenient_json.parse(body) if lenient_json.is_too_deep(body) else value


@cache
def _strict_decoder(message_type: type[T]) -> msgspec.json.Decoder[T]:
    return msgspec.json.Decoder(message_type)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fault:
    """One thing wrong: a name that is out of place, or, without a name, a value."""

    path: str = ""
    name: str | None = None
    reason: str

    def below(self, segment: str) -> "_Fault":
        """Return the fault as it looks from the message that holds this one at `segment`."""
        if not segment:
            return self
        return replace(self, path=f"{segment}.{self.path}" if self.path else segment)

    def as_violation(self) -> FieldViolation:
        if self.name is None:
            return FieldViolation(self.path, f"Invalid value at '{self.path}' {self.reason}")
        place = f" at '{self.path}'" if self.path else ""
        name = self.name[:QUOTED_LENGTH_MAX]
        description = f'{lenient_json.PREFIX}Unknown name "{name}"{place}: {self.reason}'
        return FieldViolation(self.path, description)


def _error(faults: list[_Fault]) -> InvalidArgument:
    return InvalidArgument.of_fields([fault.as_violation() for fault in faults])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    """One field of a message, as far as reading it goes."""

    name: str  # in proto snake_case
    written_name: str  # lowerCamelCase
    repeated: bool = False
    shape: "Shape"


class _Struct:
    """A google.protobuf.Struct: an object whose keys are the client's own."""

    type_url = "type.googleapis.com/google.protobuf.Struct"


_STRUCT = _Struct()


@dataclass(frozen=True, slots=True)
class _Map:
    """An object whose keys are the client's own and whose values are all of one shape."""

    item: Scalar | type[Message]


# What a value must be; None is any value at all.
Shape = Scalar | type[Message] | _Struct | _Map | None


@cache
def _fields_of(message_type: type[Message]) -> dict[str, _Field]:
    """Return the fields of the message under each name that a client may use."""
    fields: dict[str, _Field] = {}
    described = inspect.type_info(message_type)
    assert isinstance(described, inspect.StructType), "a message is a struct"
    for member in described.fields:
        kind = _without_null(member.type)
        repeated = isinstance(kind, inspect.ListType)
        item = _without_null(kind.item_type) if isinstance(kind, inspect.ListType) else kind
        found = _Field(
            name=member.name,
            written_name=member.encode_name,
            repeated=repeated,
            shape=_shape_of(item),
        )
        names = {member.name, member.encode_name, _ALIASES.get(member.name, member.name)}
        fields |= dict.fromkeys(names, found)
    return fields


def _without_null(kind: inspect.Type) -> inspect.Type:
    if not isinstance(kind, inspect.UnionType):
        return kind
    kinds = [each for each in kind.types if not isinstance(each, inspect.NoneType)]
    return kinds[0] if len(kinds) == 1 else inspect.AnyType()


def _shape_of(kind: inspect.Type) -> Shape:
    if isinstance(kind, inspect.StructType):
        assert issubclass(kind.cls, Message), "messages hold messages"
        return kind.cls
    if isinstance(kind, inspect.DictType):
        inner = kind.value_type
        if not isinstance(inner, inspect.StructType):
            scalar = scalar_of(inner)
            return _STRUCT if scalar is None else _Map(scalar)
        assert issubclass(inner.cls, Message), "messages hold messages"
        return _Map(inner.cls)
    return scalar_of(kind)


def _normalise(
    message_type: type[Message], value: dict[str, Any], faults: list[_Fault]
) -> dict[str, Any]:
    """Return the object in the one form that the strict types take, and add to `faults`."""
    fields = _fields_of(message_type)
    normal: dict[str, Any] = {}
    for name, member in value.items():
        if len(faults) >= FAULTS_MAX:
            break
        known = fields.get(name)
        if known is None:
            faults.append(_Fault(name=name, reason="Cannot find field."))
        elif member is not None:
            normal[known.written_name] = _read_field(known, name, member, faults)
    return normal


def _read_field(known: _Field, spelling: str, value: Any, faults: list[_Fault]) -> Any:
    if not known.repeated:
        return _read_one(known, spelling, None, value, faults)
    # The front end takes one value where a list is due.
    items = value if isinstance(value, list) else [value]
    return [
        _read_one(known, spelling, index, item, faults)
        for index, item in enumerate(items)
        if item is not None and len(faults) < FAULTS_MAX
    ]


def _read_one(
    known: _Field, spelling: str, index: int | None, value: Any, faults: list[_Fault]
) -> Any:
    shape = known.shape
    if shape is None:
        return value
    if isinstance(value, list):
        reason = "Proto field is not repeating, cannot start list."
        faults.append(_Fault(name=spelling, reason=reason))
        return None
    segment = known.name if index is None else f"{known.name}[{index}]"
    if isinstance(shape, Scalar):
        return _read_scalar(known, shape, segment, value, faults)
    if not isinstance(value, dict):
        faults.append(_Fault(path=segment, reason=f"({_type_url(shape)}), {quote(value)}"))
        return None
    if isinstance(shape, _Map):
        return _read_map(shape, segment, value, faults)
    return value if isinstance(shape, _Struct) else _read_message(shape, segment, value, faults)


def _read_message(
    message_type: type[Message], segment: str, value: dict[str, Any], faults: list[_Fault]
) -> dict[str, Any]:
    inner: list[_Fault] = []
    normal = _normalise(message_type, value, inner)
    faults.extend(fault.below(segment) for fault in inner)
    return normal


def _read_map(
    shape: _Map, segment: str, value: dict[str, Any], faults: list[_Fault]
) -> dict[str, Any]:
    # A map is a repeated message of `key` and `value`, and Google's errors show it as one.
    entry = _Field(name="value", written_name="value", shape=shape.item)
    normal: dict[str, Any] = {}
    for index, (key, member) in enumerate(value.items()):
        if len(faults) >= FAULTS_MAX:
            break
        inner: list[_Fault] = []
        if member is None and not isinstance(shape.item, Scalar):
            member = {}  # noqa: PLW2901  # an empty message
        normal[key] = _read_one(entry, "value", None, member, inner)
        faults.extend(fault.below(f"{segment}[{index}]") for fault in inner)
    return normal


def _type_url(shape: type[Message] | _Struct | _Map) -> str:
    if isinstance(shape, _Map) and not isinstance(shape.item, Scalar):
        return proto_type(shape.item)
    return _STRUCT.type_url if isinstance(shape, _Struct | _Map) else proto_type(shape)


def _read_scalar(
    known: _Field, scalar: Scalar, segment: str, value: Any, faults: list[_Fault]
) -> Any:
    if isinstance(value, dict):
        # Google names the message that the scalar stands in, not the scalar.
        reason = f"({known.name}), Starting an object on a scalar field"
        faults.append(_Fault(reason=reason))
        return None
    try:
        return scalar.read(value)
    except ValueError:
        faults.append(_Fault(path=segment, reason=f"({scalar.type_name}), {quote(value)}"))
        return None


def quote(value: Any) -> str:
    """Return the value as an error shows it, cut short if it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= QUOTED_LENGTH_MAX else f"{text[:QUOTED_LENGTH_MAX]}..."
