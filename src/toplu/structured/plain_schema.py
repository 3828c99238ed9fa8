r"""Writes shapes as a JSON Schema in the words that every server's decoder knows.

`format` and `nullable` are gone, an object has no properties that the shape does not name, and a
pattern is spelled out with nothing but characters, groups, alternatives and counts.
"""

import json
from collections.abc import Mapping
from typing import Any, assert_never

from toplu.structured.pattern import (
    UNICODE_MAX,
    Characters,
    Either,
    Joined,
    Pattern,
    Repeated,
)
from toplu.structured.shape import (
    Anything,
    Choice,
    Dictionary,
    Integer,
    Literals,
    Matched,
    Number,
    Record,
    Reference,
    Sequence,
    Shape,
    Text,
)

SPECIAL = frozenset("\\]^-[")
PRINTABLE_FIRST = 0x20


def write_plain_schema(shape: Shape, definitions: Mapping[str, Shape]) -> dict[str, Any]:
    """Return the schema; what it allows, the shape allows, but for the writing of numbers."""
    schema = _schema(shape)
    if definitions:
        schema["$defs"] = {name: _schema(each) for name, each in definitions.items()}
    return schema


def _schema(shape: Shape) -> dict[str, Any]:  # noqa: C901, PLR0911  # one case a shape
    match shape:
        case Anything(only_containers=only_containers):
            return {"type": ["object", "array"]} if only_containers else {}
        case Literals(texts=texts):
            return {"enum": [json.loads(text) for text in texts]}
        case Integer(low=low, high=high):
            return {"type": "integer", **_given(minimum=low, maximum=high)}
        case Number():
            return {"type": "number", **_bounds(shape)}
        case Text(shortest=shortest, longest=longest):
            return {"type": "string", **_given(minLength=shortest or None, maxLength=longest)}
        case Matched(pattern=pattern):
            return {"type": "string", "pattern": f"^{_expression(pattern)}$"}
        case Sequence(prefix=prefix, items=items, fewest=fewest, most=most):
            return {
                "type": "array",
                **_given(prefixItems=[_schema(each) for each in prefix] or None),
                "items": False if items is None else _schema(items),
                **_given(minItems=fewest or None, maxItems=most),
            }
        case Record(members=members):
            required = [member.name for member in members if member.required]
            return {
                "type": "object",
                "properties": {member.name: _schema(member.shape) for member in members},
                **_given(required=required or None),
                "additionalProperties": False,
            }
        case Dictionary(values=values, fewest=fewest, most=most):
            return {
                "type": "object",
                "additionalProperties": _schema(values),
                **_given(minProperties=fewest or None, maxProperties=most),
            }
        case Choice(options=options):
            return {"anyOf": [_schema(option) for option in options]}
        case Reference(name=name):
            # As a JSON Pointer wants it.
            return {"$ref": f"#/$defs/{name.replace('~', '~0').replace('/', '~1')}"}
        case _:
            assert_never(shape)


def _bounds(shape: Number) -> dict[str, Any]:
    low, high = (None if each is None else float(each) for each in (shape.low, shape.high))
    return {
        **_given(**{"exclusiveMinimum" if shape.low_open else "minimum": low}),
        **_given(**{"exclusiveMaximum" if shape.high_open else "maximum": high}),
    }


def _given(**keywords: Any) -> dict[str, Any]:
    return {name: value for name, value in keywords.items() if value is not None}


def _expression(pattern: Pattern) -> str:
    match pattern:
        case Characters(ranges=ranges):
            return "[" + "".join(_span(low, min(high, UNICODE_MAX)) for low, high in ranges) + "]"
        case Joined(parts=parts):
            return "".join(_expression(part) for part in parts)
        case Either(options=options):
            return "(" + "|".join(_expression(option) for option in options) + ")"
        case Repeated(part=part, fewest=fewest, most=most):
            count = f"{{{fewest}}}" if fewest == most else f"{{{fewest},{most or ''}}}"
            return f"({_expression(part)}){count}"
        case _:
            assert_never(pattern)


def _span(low: int, high: int) -> str:
    return _character(low) if low == high else f"{_character(low)}-{_character(high)}"


def _character(code: int) -> str:
    if code < PRINTABLE_FIRST:
        return f"\\x{code:02x}"
    character = chr(code)
    return f"\\{character}" if character in SPECIAL else character
