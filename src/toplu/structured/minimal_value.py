"""The smallest value of a shape: what the echo engine answers, and the proof that there is one."""

import json
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, assert_never

from toplu.errors import InvalidArgument
from toplu.structured.pattern import Characters, Either, Joined, Pattern, Repeated
from toplu.structured.shape import (
    Anything,
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
    Structure,
    Text,
)

Definitions = Mapping[str, Shape]
Sizes = Mapping[str, float]

PLAIN = "a0A-_. "


def write_smallest(structure: Structure) -> str:
    """Return the smallest answer of the form."""
    try:
        value = smallest_value(structure.shape, structure.definitions)
        return str(value) if structure.bare else json.dumps(value, ensure_ascii=False)
    except RecursionError:
        raise InvalidArgument("The smallest answer of the schema is nested too deep.") from None


def smallest_value(shape: Shape, definitions: Definitions) -> Any:
    """Return a value of the shape that is as short as JSON as it can plainly be."""
    return _Smallest(definitions, sizes_of(definitions)).value(shape)


def sizes_of(definitions: Definitions) -> dict[str, float]:
    """Return how many characters each definition takes at least; infinity: it never ends."""
    sizes = dict.fromkeys(definitions, math.inf)
    for _ in definitions:
        before = dict(sizes)
        for name in reversed(list(definitions)):  # what refers to another is read before it
            sizes[name] = size_of(definitions[name], sizes)
        if sizes == before:
            break
    return sizes


def size_of(  # noqa: C901, PLR0911  # one case for each shape
    shape: Shape, sizes: Sizes
) -> float:
    """Return about how many characters a value takes at least; infinity: it never ends."""
    match shape:
        case Anything():
            return 2
        case Literals(texts=texts):
            return min(len(text) for text in texts)
        case Integer() | Number():
            return 1
        case Text(shortest=shortest):
            return 2 + shortest
        case Matched(pattern=pattern):
            return 2 + pattern_size(pattern)
        case Sequence(prefix=prefix, items=items, fewest=fewest):
            more = fewest - len(prefix)
            behind = 0 if items is None or more <= 0 else more * (1 + size_of(items, sizes))
            return 2 + sum(1 + size_of(item, sizes) for item in prefix) + behind
        case Record(members=members):
            return 2 + sum(
                4 + len(member.name) + size_of(member.shape, sizes)
                for member in members
                if member.required
            )
        case Dictionary(values=values, fewest=fewest):
            return 2 + (4 + size_of(values, sizes) if fewest else 0)
        case Choice(options=options):
            return min(size_of(option, sizes) for option in options)
        case Reference(name=name):
            return sizes[name]
        case _:
            assert_never(shape)


def pattern_size(pattern: Pattern) -> int:
    """Return how many characters the text of `pattern_text` has."""
    match pattern:
        case Characters():
            return 1
        case Joined(parts=parts):
            return sum(pattern_size(part) for part in parts)
        case Either(options=options):
            return min(pattern_size(option) for option in options)
        case Repeated(part=part, fewest=fewest):
            return fewest * pattern_size(part) if fewest else 0
        case _:
            assert_never(pattern)


class _Smallest:
    """Builds values; ends because every choice takes its smallest option."""

    def __init__(self, definitions: Definitions, sizes: Sizes) -> None:
        self._definitions = definitions
        self._sizes = sizes

    def value(  # noqa: C901, PLR0911  # one case for each shape
        self, shape: Shape
    ) -> Any:
        match shape:
            case Anything():
                return {}
            case Literals(texts=texts):
                return json.loads(min(texts, key=len))
            case Integer(low=low, high=high):
                return max(low or 0, 0) if high is None else min(max(low or 0, 0), high)
            case Number():
                return _number(shape)
            case Text(shortest=shortest):
                return PLAIN[0] * shortest
            case Matched(pattern=pattern):
                return pattern_text(pattern)
            case Sequence():
                return self._array(shape)
            case Record(members=members):
                return {
                    member.name: self.value(member.shape) for member in members if member.required
                }
            case Dictionary(values=values, fewest=fewest):
                return {"": self.value(values)} if fewest else {}
            case Choice(options=options):
                return self.value(min(options, key=lambda option: size_of(option, self._sizes)))
            case Reference(name=name):
                return self.value(self._definitions[name])
            case _:
                assert_never(shape)

    def _array(self, shape: Sequence) -> list[Any]:
        first = [self.value(item) for item in shape.prefix]
        more = shape.fewest - len(first)
        if shape.items is None or more <= 0:
            return first
        return first + [self.value(shape.items)] * more


def _number(shape: Number) -> int | float:
    low, high = shape.low, shape.high
    candidates = [Decimal(0)]
    candidates += [
        bound + step for bound in (low, high) if bound is not None for step in (0, 1, -1)
    ]
    if low is not None and high is not None:
        candidates.append((low + high) / 2)
    found = next(value for value in candidates if _is_within(value, shape))
    return int(found) if found == found.to_integral_value() else float(found)


def _is_within(value: Decimal, shape: Number) -> bool:
    above = shape.low is None or value > shape.low or (value == shape.low and not shape.low_open)
    below = shape.high is None or value < shape.high
    return above and (below or (value == shape.high and not shape.high_open))


def pattern_text(pattern: Pattern) -> str:
    """Return a short text that the pattern matches."""
    match pattern:
        case Characters(ranges=ranges):
            plain = (sign for sign in PLAIN if any(lo <= ord(sign) <= hi for lo, hi in ranges))
            return next(plain, chr(ranges[0][0]))
        case Joined(parts=parts):
            return "".join(pattern_text(part) for part in parts)
        case Either(options=options):
            return pattern_text(min(options, key=pattern_size))
        case Repeated(part=part, fewest=fewest):
            return pattern_text(part) * fewest
        case _:
            assert_never(pattern)
