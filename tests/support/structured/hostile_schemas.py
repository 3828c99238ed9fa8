"""Schemas that take a library down, or all of a machine, unless somebody bounds them."""

from collections.abc import Callable
from typing import Any


def chained(length: int, link: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    """Return definitions that each refer to the next."""
    definitions = {f"d{at}": link(f"#/$defs/d{at + 1}") for at in range(length)}
    return {"$defs": definitions | {f"d{length}": {"type": "integer"}}, "$ref": "#/$defs/d0"}


def within(reference: str) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": {"$ref": reference}}, "required": ["a"]}


def twice(keyword: str) -> Callable[[str], dict[str, Any]]:
    return lambda reference: {keyword: [{"$ref": reference}, {"$ref": reference}]}


def choices(of: int, each: int) -> dict[str, Any]:
    """Return choices that have to be met together: `each ** of` combinations."""

    def choice(name: str) -> dict[str, Any]:
        return {"type": "object", "properties": {name: {"const": 1}}, "required": [name]}

    return {"allOf": [{"anyOf": [choice(f"p{at}_{no}") for no in range(each)]} for at in range(of)]}


def matching(pattern: str) -> dict[str, Any]:
    return {"type": "string", "pattern": pattern}


# These are served, or refused for what is wrong with them.
HARMLESS: dict[str, Any] = {
    "a reference to itself": {"$ref": "#"},
    "references in a ring": {
        "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}},
        "$ref": "#/$defs/a",
    },
    "a choice of itself": {"anyOf": [{"$ref": "#"}, {"type": "integer"}]},
    "not itself": {"not": {"$ref": "#"}},
    "an object in itself": {"type": "object", "properties": {"a": {"$ref": "#"}}},
    "an object without end": within("#"),
    "an anchor to itself": {"$dynamicAnchor": "x", "$dynamicRef": "#x"},
    "12,000 labels": {"enum": [f"label {at}" for at in range(12_000)]},
    "a billion items": {"type": "array", "minItems": 10**9, "items": {"type": "integer"}},
    "a billion properties": {"type": "object", "minProperties": 10**9},
    "a billion letters": {"type": "string", "maxLength": 10**9},
    "a billion times": matching("^a{1,1000000000}$"),
    "a thousand times each time": matching("^((a{1,1000}){1,1000}){1,1000}$"),
    "a pattern that backtracks": matching("^(a+)+$"),
    "look-around that backtracks": matching("^(?=(a+)+b).*$"),
    "references back": matching(r"^(a*)*(a*)*\1\2b$"),
    "5,000 groups": matching("(" * 5_000 + "a" + ")" * 5_000),
    "many products of types": {
        "allOf": [{"anyOf": [{"minimum": at}, {"maxLength": at + 1}]} for at in range(100)]
    },
    "an integer of 400 digits": {"type": "integer", "minimum": 10**400},
    "tiny multiples": {"type": "number", "multipleOf": 1e-300},
}
# The libraries run out of stack, of memory or of time on these.
COSTLY: dict[str, Any] = {
    "a chain of objects": chained(3_000, within),
    "a chain of references": chained(6_000, lambda reference: {"$ref": reference}),
    "a product of choices": choices(of=14, each=3),
}
# These compile; what to prove takes is twice as much with each definition.
COSTLY_TO_PROVE: dict[str, Any] = {
    "all of two": chained(60, twice("allOf")),
    "any of two": chained(60, twice("anyOf")),
}
ALL = HARMLESS | COSTLY | COSTLY_TO_PROVE
