"""Writes a Schema of the Gemini API as the JSON Schema that means the same.

Lists and properties keep their places, so that a fault found later has the path that it has in
the Schema. Properties come in the order of `propertyOrdering`, then as they were given.
"""

from typing import Any

from toplu.structured.schema_fault import SchemaFault
from toplu.wire.gemini.schema import Schema, Type

BOUNDS = ("min_items", "max_items", "min_properties", "max_properties", "min_length", "max_length")
SAME = ("format", "title", "description", "pattern", "minimum", "maximum")


def to_json_schema(schema: Schema, path: str) -> dict[str, Any]:
    """Return the JSON Schema, or raise SchemaFault for what the API itself would refuse."""
    written: dict[str, Any] = {}
    kind = None if schema.type in (None, Type.TYPE_UNSPECIFIED) else str(schema.type).lower()
    if kind is not None:
        written["type"] = [kind, "null"] if schema.nullable and kind != "null" else kind
    for name in SAME:
        if (value := getattr(schema, name)) is not None:
            written[name] = value
    bounds = {name: getattr(schema, name) for name in BOUNDS}
    written |= {_camel(name): int(bound) for name, bound in bounds.items() if bound is not None}
    if schema.enum:
        written["enum"] = _enum(schema, schema.enum, path)
    if schema.any_of is not None:
        written["anyOf"] = [
            to_json_schema(option, f"{path}.any_of[{index}]")
            for index, option in enumerate(schema.any_of)
        ]
        if schema.nullable:
            written["anyOf"].append({"type": "null"})
    if schema.items is not None:
        written["items"] = to_json_schema(schema.items, f"{path}.items")
    elif schema.type == Type.ARRAY:
        raise SchemaFault(f"{path}.items", "missing field.")
    return written | _object(schema, path)


def _enum(schema: Schema, values: list[str], path: str) -> list[str | None]:
    if schema.type not in (None, Type.TYPE_UNSPECIFIED, Type.STRING):
        raise SchemaFault(f"{path}.enum", "only allowed for STRING type")
    for index, value in enumerate(values):
        if not value:
            raise SchemaFault(f"{path}.enum[{index}]", "cannot be empty")
    return [*values, None] if schema.nullable else [*values]


def _object(schema: Schema, path: str) -> dict[str, Any]:
    written: dict[str, Any] = {}
    properties = schema.properties or {}
    for name in ("required", "property_ordering"):
        for index, wanted in enumerate(getattr(schema, name) or []):
            if wanted not in properties:
                raise SchemaFault(f"{path}.{name}[{index}]", "property is not defined")
    if properties:
        order = dict.fromkeys([*(schema.property_ordering or []), *properties])
        written["properties"] = {
            name: to_json_schema(properties[name], f"{path}.properties[{name}]") for name in order
        }
    if schema.required:
        written["required"] = schema.required
    return written


def _camel(name: str) -> str:
    first, second = name.split("_")
    return first + second.capitalize()
