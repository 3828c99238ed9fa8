"""Writes schemas that most servers hold to: what they would refuse is proved afterwards."""

from typing import Any

from toplu.structured.held_schema import without
from toplu.structured.structure import Structure

# What backends of vLLM and others refuse, or hold to in silence to nothing.
UNHELD = frozenset(
    {
        "$schema",
        "$id",
        "id",
        "$comment",
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


def relaxed(structure: Structure) -> dict[str, Any]:
    """Return the schema of our own grammar, less what few servers can hold."""
    schema: dict[str, Any] = without(structure.held_schema, UNHELD)
    return schema
