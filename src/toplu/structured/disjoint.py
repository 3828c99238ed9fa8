"""Whether schemas exclude each other, which is what makes `oneOf` the same as `anyOf`."""

from collections.abc import Mapping
from itertools import combinations

from toplu.structured.shape import (
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

KINDS = {
    Integer: "number",
    Number: "number",
    Text: "string",
    Matched: "string",
    Sequence: "array",
    Record: "object",
    Dictionary: "object",
}
COMPARED_MAX = 10_000  # of choices in choices, which may contain themselves
FIRST_SIGNS = {'"': "string", "[": "array", "{": "object", "t": "true", "f": "false", "n": "null"}


def are_disjoint(options: list[Shape], definitions: Mapping[str, Shape]) -> bool:
    """Return whether it is plain that no value is met by two of the options."""
    return _Comparison(definitions).are_disjoint(options)


def kind_of(text: str) -> str:
    """Return what kind of value a JSON text is, by its first sign."""
    return FIRST_SIGNS.get(text[0], "number")


class _Comparison:
    """Compares shapes two by two until it has compared too many."""

    def __init__(self, definitions: Mapping[str, Shape]) -> None:
        self._definitions = definitions
        self._compared = 0

    def are_disjoint(self, options: list[Shape]) -> bool:
        return all(self._differ(first, second) for first, second in combinations(options, 2))

    def _differ(self, first: Shape, second: Shape) -> bool:
        self._compared += 1
        if self._compared > COMPARED_MAX:
            return False
        first, second = self._resolved(first), self._resolved(second)
        for one, other in ((first, second), (second, first)):
            if isinstance(one, Choice):
                return all(self._differ(option, other) for option in one.options)
        if isinstance(first, Literals) and isinstance(second, Literals):
            return not _meanings(first) & _meanings(second)
        if isinstance(first, Record) and isinstance(second, Record):
            return self._are_told_apart(first, second)
        kinds = _kinds(first), _kinds(second)
        return bool(kinds[0] and kinds[1]) and not kinds[0] & kinds[1]

    def _are_told_apart(self, first: Record, second: Record) -> bool:
        """Return whether a property that both require has different values in each."""
        theirs = {member.name: member for member in second.members if member.required}
        return any(
            isinstance(one := self._resolved(member.shape), Literals)
            and isinstance(two := self._resolved(theirs[member.name].shape), Literals)
            and not _meanings(one) & _meanings(two)
            for member in first.members
            if member.required and member.name in theirs
        )

    def _resolved(self, shape: Shape) -> Shape:
        seen: set[str] = set()
        while isinstance(shape, Reference) and shape.name not in seen:
            seen.add(shape.name)
            shape = self._definitions[shape.name]
        return shape


def _meanings(literals: Literals) -> set[str | float]:
    """Return what to compare: 1 and 1.0 are one number, and of objects only the kind is sure."""
    return {
        float(text) if kind_of(text) == "number" else text[0] if text[0] in "[{" else text
        for text in literals.texts
    }


def _kinds(shape: Shape) -> set[str]:
    """Return what kinds of values the shape has; none if that is not plain."""
    if isinstance(shape, Literals):
        return {kind_of(text) for text in shape.texts}
    kind = KINDS.get(type(shape))
    return set() if kind is None else {kind}
