"""Writes the schema that the grammar is made of: what a validator accepts, in its plainest form.

It may allow less than the client's schema (an object has its listed properties alone), so that a
small model is led to a plain answer, and more (what a grammar cannot hold), for every answer is
validated by the client's own schema in the end.
"""

from collections.abc import Callable, Iterator
from typing import Any

from toplu.structured.validator import FORMATS

# Keywords whose value is a schema, or a list of them; the value of any other may look like one.
SCHEMAS = frozenset(
    {
        "allOf",
        "anyOf",
        "oneOf",
        "not",
        "if",
        "then",
        "else",
        "items",
        "prefixItems",
        "additionalItems",
        "unevaluatedItems",
        "contains",
        "additionalProperties",
        "unevaluatedProperties",
        "propertyNames",
    }
)
MAPS = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
CHOICES = frozenset({"anyOf", "oneOf"})
# Keywords that take part in what an object may have.
OF_OBJECTS = frozenset(
    {
        "properties",
        "required",
        "additionalProperties",
        "patternProperties",
        "minProperties",
        "dependentSchemas",
        "dependentRequired",
        "dependencies",
    }
)
JOINS = frozenset({"allOf", "anyOf", "oneOf", "$ref", "if", "not", "$dynamicRef", "$recursiveRef"})
LEAST = frozenset({"minLength", "minItems", "minProperties"})
MOST = frozenset({"maxLength", "maxItems", "maxProperties"})
COUNT_MAX = 10_000  # that a grammar holds to; few answers are as long
# Beyond these, a property that the schema does not list is a choice of the model.
OPENED = frozenset({"additionalProperties", "patternProperties", "unevaluatedProperties"})


def write_held(schema: Any, *, closed: bool) -> Any:
    """Return the schema for the grammar; `closed` objects have no properties but those listed."""
    if not isinstance(schema, dict):
        return schema
    closed = closed and not _joins_references(schema)
    return _write(schema, closed=closed)


def without(schema: Any, dropped: frozenset[str]) -> Any:
    """Return the schema without these keywords, wherever they stand as such.

    It allows more, as a rule; a closed object that lists some properties has those alone.
    """
    if not isinstance(schema, dict):
        return schema
    kept = {name: value for name, value in schema.items() if name not in dropped}
    patterns = {} if "patternProperties" in kept else schema.get("patternProperties", {})
    if patterns and not kept.get("properties") and kept.get("additionalProperties") is False:
        # Without the patterns, the object could have nothing at all.
        kept["additionalProperties"] = {"anyOf": list(patterns.values())}
    return map_schemas(kept, lambda inner, _: without(inner, dropped))


def anchor_patterns(schema: Any) -> Any:
    """Return the schema with texts that are what a pattern says and nothing around it.

    It allows less: a walk that does not know the word of a pattern would not come to its end.
    """
    if not isinstance(schema, dict):
        return schema
    written = map_schemas(schema, lambda inner, _: anchor_patterns(inner))
    if isinstance(pattern := schema.get("pattern"), str):
        core = pattern.removeprefix("^").removesuffix("$")
        written["pattern"] = f"^(?:{core})$"
    return written


def _write(schema: Any, *, closed: bool) -> Any:
    if not isinstance(schema, dict):
        return schema
    written = _ordered(_with_uuid_versions(_within_counts(schema)))
    alone = not (OF_OBJECTS & written.keys())
    joins = JOINS & written.keys()

    def inner(value: Any, keyword: str) -> Any:
        # What is joined to something else must leave room for what that lists.
        apart = keyword in ("allOf", "if", "then", "else", "not") and not _is_single(written)
        in_choice = keyword in CHOICES and not (alone and len(joins) == 1)
        return _write(value, closed=closed and not apart and not in_choice)

    result = map_schemas(written, inner)
    properties = written.get("properties")
    required = written.get("required")
    if (
        closed
        and isinstance(properties, dict)
        and properties
        and not joins
        and not OPENED & written.keys()
        and written.get("minProperties", 0) <= len(properties)
        and set(required if isinstance(required, list) else ()) <= properties.keys()
    ):
        result["additionalProperties"] = False
    return result


def map_schemas(schema: dict[str, Any], change: Callable[[Any, str], Any]) -> dict[str, Any]:
    """Return the schema with every schema directly in it changed."""
    written: dict[str, Any] = {}
    for keyword, value in schema.items():
        if keyword in MAPS and isinstance(value, dict):
            written[keyword] = {name: change(inner, keyword) for name, inner in value.items()}
        elif keyword in SCHEMAS and isinstance(value, list):
            written[keyword] = [change(inner, keyword) for inner in value]
        elif keyword in SCHEMAS:
            written[keyword] = change(value, keyword)
        else:
            written[keyword] = value
    return written


def _ordered(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema with its properties in the order of `propertyOrdering`, if it has one."""
    ordering, properties = schema.get("propertyOrdering"), schema.get("properties")
    if not isinstance(ordering, list) or not isinstance(properties, dict):
        return schema
    first = [name for name in ordering if isinstance(name, str) and name in properties]
    names = dict.fromkeys([*first, *properties])
    return schema | {"properties": {name: properties[name] for name in names}}


def _within_counts(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema with counts that an engine can hold to.

    It takes longer with each item that it has to count, and with a million it does not come back.
    """

    def over(name: str) -> bool:
        count = schema.get(name)
        return isinstance(count, int | float) and count > COUNT_MAX

    written = {name: value for name, value in schema.items() if name not in MOST or not over(name)}
    return written | {name: COUNT_MAX for name in LEAST if over(name)}


def _with_uuid_versions(schema: dict[str, Any]) -> dict[str, Any]:
    named = schema.get("format")
    if not isinstance(named, str) or named not in FORMATS:
        return schema
    version = named.removeprefix("uuid")
    pattern = (
        f"^[0-9a-f]{{8}}-[0-9a-f]{{4}}-{version}[0-9a-f]{{3}}-[89ab][0-9a-f]{{3}}-[0-9a-f]{{12}}$"
    )
    plain = {name: value for name, value in schema.items() if name != "format"}
    return {"pattern": pattern} | plain


def _is_single(schema: dict[str, Any]) -> bool:
    """Return whether the schema says nothing but an `allOf` of one, or of one and remarks."""
    options = schema.get("allOf")
    if not isinstance(options, list) or (OF_OBJECTS | JOINS) & schema.keys() != {"allOf"}:
        return False
    telling = OF_OBJECTS | JOINS | {"type", "enum", "const"}
    return sum(bool(isinstance(each, dict) and telling & each.keys()) for each in options) <= 1


def _joins_references(schema: Any) -> bool:
    """Return whether a reference is joined to something that lists properties as well."""
    for node in _nodes(schema):
        options = node.get("allOf")
        if isinstance(options, list) and not _is_single(node):
            return True
        if (
            JOINS & node.keys()
            and (OF_OBJECTS & node.keys() or len(JOINS & node.keys()) > 1)
            and any(
                "$ref" in inner
                for inner in _nodes({name: node[name] for name in JOINS & node.keys()})
            )
        ):
            return True
    return False


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from _nodes(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _nodes(inner)
