"""Writes schemas that most servers hold to: what they would refuse is proved afterwards."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from toplu.structured.held_schema import map_schemas, without
from toplu.structured.structure import Structure

# What backends of vLLM and others refuse, or hold to in silence to nothing.
UNHELD = frozenset(
    {
        "$schema",
        "$id",
        "id",
        "$comment",
        "$anchor",
        "$dynamicAnchor",
        "$dynamicRef",
        "$recursiveAnchor",
        "$recursiveRef",
        "not",
        "if",
        "then",
        "else",
        "contains",
        "minContains",
        "maxContains",
        "uniqueItems",
        "unevaluatedItems",
        "propertyNames",
        "patternProperties",
        "unevaluatedProperties",
        "minProperties",
        "maxProperties",
        "dependencies",
        "dependentRequired",
        "dependentSchemas",
        "multipleOf",
    }
)
FORMATS = frozenset(
    {
        "date-time",
        "date",
        "time",
        "duration",
        "email",
        "hostname",
        "ipv4",
        "ipv6",
        "uri",
        "uuid",
    }
)
# A reference that every server can follow: to the root or a definition, with nothing to decode.
PLAIN = re.compile(r"#(?:/(?:\$defs|definitions)/[A-Za-z0-9_-]+)?")


def relaxed(structure: Structure) -> dict[str, Any]:
    """Return the schema of our own grammar, less what few servers can hold.

    Its references are plain: what has another one gets a name of ours under `$defs`.
    """
    schema = structure.held_schema
    names: dict[str, str] = {}  # by reference

    def rename(reference: str) -> str:
        if PLAIN.fullmatch(reference):
            return reference
        return f"#/$defs/{names.setdefault(reference, f'toplu_{len(names)}')}"

    written: dict[str, Any] = map_references(_kept(schema), rename)
    definitions: dict[str, Any] = {}
    # What is found there may refer to more.
    while len(definitions) < len(names):
        for reference, name in tuple(names.items())[len(definitions) :]:
            definitions[name] = map_references(_kept(_find(schema, reference)), rename)
    if definitions:
        written["$defs"] = written.get("$defs", {}) | definitions
    return written


def map_references(schema: Any, change: Callable[[str], str]) -> Any:
    """Return the schema with every `$ref` in it changed."""
    if not isinstance(schema, dict):
        return schema
    changed = map_schemas(schema, lambda inner, _: map_references(inner, change))
    if isinstance(reference := schema.get("$ref"), str):
        changed["$ref"] = change(reference)
    return changed


def _kept(schema: Any) -> Any:
    """Return what most servers can hold of the schema."""
    return _with_known_formats(without(schema, UNHELD))


def _with_known_formats(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    named = schema.get("format")
    is_unknown = isinstance(named, str) and named not in FORMATS
    kept = {name: value for name, value in schema.items() if name != "format" or not is_unknown}
    return map_schemas(kept, lambda inner, _: _with_known_formats(inner))


def _find(schema: Any, reference: str) -> Any:
    """Return what a reference leads to; any value at all if that is not to be found by its path."""
    path, *steps = unquote(reference).split("/")
    found = schema if path == "#" else {}
    for step in steps:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list):
            found = found[int(name)] if name.isdecimal() and int(name) < len(found) else {}
        else:
            found = found.get(name, {}) if isinstance(found, dict) else {}
    return found
