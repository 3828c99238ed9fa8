"""The fault of a schema that cannot be served, and how its place is written."""

import re
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

SHOWN_MAX = 500  # characters of a place or a reason in an error

_CAMEL_HUMP = re.compile(r"(?<=[a-z])([A-Z])")
_BRACKETED = re.compile(r"(\[[^\]]*\])")
# Keywords whose value maps names of the client's own to schemas.
_MAPS = frozenset(
    {
        "properties",
        "patternProperties",
        "$defs",
        "definitions",
        "dependentSchemas",
        "dependentRequired",
        "dependencies",
    }
)


class SchemaFault(Exception):
    """A schema that is none, or that no server could hold an answer to: its place, and why."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason


def raise_fault(found: T | SchemaFault) -> T:
    """Return what was found, or raise it if it is a fault; faults are kept as results are."""
    if isinstance(found, SchemaFault):
        raise SchemaFault(found.path, found.reason)
    return found


def write_place(root: str, path: Sequence[str | int]) -> str:
    """Return the place in a schema, as `root.properties[name].items`."""
    place, in_map = root, False
    for step in path:
        if isinstance(step, int) or in_map:
            place, in_map = f"{place}[{step}]", False
        else:
            place, in_map = f"{place}.{step}", step in _MAPS
    return place


def printable(text: str) -> str:
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
