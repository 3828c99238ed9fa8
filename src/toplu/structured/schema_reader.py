"""From a schema to its shape: what may be asked for is checked, and a fault names its place."""

import re
from typing import Any

from toplu.structured.json_schema import JsonSchemaReader
from toplu.structured.limits import check_limits
from toplu.structured.shape import TOO_MANY_STATES, SchemaFault, Shape

SHOWN_MAX = 500  # characters of a place in an error

_CAMEL_HUMP = re.compile(r"(?<=[a-z])([A-Z])")
_BRACKETED = re.compile(r"(\[[^\]]*\])")


def read_shape(schema: Any, path: str, *, scope: str = "") -> tuple[Shape, dict[str, Shape], int]:
    """Return the shape of a JSON Schema, its definitions, and how many schemas it is made of.

    `scope` stands before the names of the definitions. What cannot be followed is a SchemaFault.
    """
    reader = JsonSchemaReader(schema, path, scope)
    try:
        shape = reader.read()
        check_limits(shape, reader.definitions, path)
    except RecursionError:
        # The nesting of JSON is bounded, that of references which follow each other is not.
        raise SchemaFault(path, TOO_MANY_STATES) from None
    return shape, reader.definitions, reader.nodes


def shown(text: str) -> str:
    """Return what a client sees of a place or a reason, which may have its own words in it."""
    whole = text.encode("utf-8", "replace").decode()
    return whole if len(whole) <= SHOWN_MAX else f"{whole[:SHOWN_MAX]}..."


def in_snake_case(path: str) -> str:
    """Return the path with its field names as proto writes them, and the client's own as given."""
    pieces = _BRACKETED.split(path)
    return "".join(
        piece
        if piece.startswith("[")
        else _CAMEL_HUMP.sub(lambda found: f"_{found[1].lower()}", piece)
        for piece in pieces
    )
