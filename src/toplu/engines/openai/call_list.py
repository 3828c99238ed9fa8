"""Calls as a list of JSON, which any server that holds to schemas can be held to.

[{"name": "f", "arguments": {"city": "Oslo"}}, …]
"""

import json
from typing import Any

from msgspec.structs import replace

from toplu.engines.calls import CALLS_MAX, Function, FunctionCall, Functions
from toplu.engines.generation import Completion
from toplu.engines.openai.relaxed_schema import map_references, relaxed
from toplu.structured.grammar import OPTIONS
from toplu.structured.held_schema import without

OF_ROOT = frozenset({"x-guidance"})


def list_schema(functions: Functions) -> dict[str, Any]:
    """Return the schema of the list, with the arguments of each function under a name of its own.

    At the root, arguments of functions could not refer to their own definitions.
    """
    names = [f"arguments{index}" for index in range(len(functions.allowed))]
    calls = [_call(*pair) for pair in zip(names, functions.allowed, strict=True)]
    schemas = [without(relaxed(each.arguments), OF_ROOT) for each in functions.allowed]
    return {
        "type": "array",
        "items": calls[0] if len(calls) == 1 else {"anyOf": calls},
        "minItems": 1,
        "maxItems": CALLS_MAX,
        "$defs": {
            name: _moved(schema, f"#/$defs/{name}")
            for name, schema in zip(names, schemas, strict=True)
        },
        "x-guidance": OPTIONS,
    }


def read_list(completion: Completion) -> Completion:
    """Return the completion with the calls of its list, up to the first that is none."""
    calls, is_whole = _read_calls(completion.text.strip())
    broken = not is_whole and not completion.hit_token_limit
    return replace(completion, text="", steps=(), calls=tuple(calls), broken_call=broken)


def _read_calls(text: str) -> tuple[list[FunctionCall], bool]:
    """Return the calls that are whole, and whether the list is."""
    calls: list[FunctionCall] = []
    rest, decoder = text, json.JSONDecoder()
    separator = "["
    while rest.startswith(separator):
        rest = rest.removeprefix(separator).lstrip()
        try:
            value, end = decoder.raw_decode(rest)
        except (ValueError, RecursionError):
            return calls, False
        match value:
            case {"name": str(name), "arguments": dict(arguments)}:
                calls.append(FunctionCall(name=name, arguments=arguments))
            case _:
                return calls, False
        rest, separator = rest[end:].lstrip(), ","
    return calls, bool(calls) and rest == "]"


def _call(arguments: str, function: Function) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "name": {"const": function.name},
            "arguments": {"$ref": f"#/$defs/{arguments}"},
        },
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }


def _moved(schema: Any, place: str) -> Any:
    """Return the relaxed schema as it is at another place than the root of its document."""
    return map_references(schema, lambda reference: place + reference.removeprefix("#"))
