"""The forms that an answer may be asked to have, as plain values.

responseSchema ──▶ JSON Schema ──▶ shapes ──▶ grammar        the engine follows it
responseJsonSchema ──▲               └──────▶ smallest value  the echo engine says it
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from toplu.structured.pattern import Pattern

TOO_MANY_STATES = "The specified schema produces a constraint that has too many states for serving."


class SchemaFault(Exception):
    """Something in a schema that cannot be followed: its place, and what is wrong."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Anything:
    """Any JSON value, or only objects and arrays."""

    only_containers: bool = False


@dataclass(frozen=True, slots=True)
class Literals:
    """One of these values, each written as JSON."""

    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number between two bounds, both allowed."""

    low: int | None
    high: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A number between two bounds, which are allowed unless they are open."""

    low: Decimal | None
    low_open: bool = False
    high: Decimal | None
    high_open: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """A string of so many characters."""

    shortest: int = 0
    longest: int | None = None


@dataclass(frozen=True, slots=True)
class Matched:
    """A string that a regular expression describes from its first to its last character."""

    pattern: Pattern


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence:
    """An array: one value for each of `prefix`, then `items`, if there may be any."""

    prefix: "tuple[Shape, ...]" = ()
    items: "Shape | None"
    fewest: int = 0  # of all elements
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """A property of an object."""

    name: str
    shape: "Shape"
    required: bool


@dataclass(frozen=True, slots=True)
class Record:
    """An object of known properties, in this order."""

    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class Dictionary:
    """An object of any properties whose values have one shape."""

    values: "Shape"
    fewest: int = 0
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several shapes."""

    options: "tuple[Shape, ...]"


@dataclass(frozen=True, slots=True)
class Reference:
    """A shape that is defined once, under a name, and may contain itself."""

    name: str


Shape = (
    Anything
    | Literals
    | Integer
    | Number
    | Text
    | Matched
    | Sequence
    | Record
    | Dictionary
    | Choice
    | Reference
)

NULL = Literals(("null",))
BOOLEAN = Literals(("true", "false"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """What an answer has to look like, in every form that an engine may want."""

    shape: Shape
    definitions: Mapping[str, Shape]  # for the References in the shape
    json_schema: Any
    grammar: str  # GBNF
    bare: bool = False  # a string is said without its quotes, as text/x.enum wants
