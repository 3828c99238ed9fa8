"""Whether a JSON text has the form that was asked for: for answers that no grammar held to it."""

import itertools
import json
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, assert_never

from toplu.structured.pattern import Characters, Either, Joined, Pattern, Ranges, Repeated
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


def is_valid(text: str, structure: Structure) -> bool:
    """Return whether the text is a JSON value of this form."""
    try:
        value = json.loads(text, parse_float=Decimal, parse_int=Decimal, parse_constant=_refuse)
        return _holds(value, structure.shape, structure.definitions)
    except (ValueError, RecursionError, ArithmeticError):
        return False


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _holds(value: Any, shape: Shape, definitions: Mapping[str, Shape]) -> bool:  # noqa: C901, PLR0911  # one case a shape
    match shape:
        case Anything(only_containers=only_containers):
            return not only_containers or isinstance(value, dict | list)
        case Literals(texts=texts):
            return any(_is_same(value, json.loads(text, parse_float=Decimal)) for text in texts)
        case Integer(low=low, high=high):
            return (
                _is_number(value)
                and value == value.to_integral_value()
                and _is_within(value, low, high)
            )
        case Number(low=low, high=high):
            return (
                _is_number(value)
                and _is_within(value, low, high)
                and not (shape.low_open and value == low)
                and not (shape.high_open and value == high)
            )
        case Text(shortest=shortest, longest=longest):
            return isinstance(value, str) and _is_within(len(value), shortest, longest)
        case Matched(pattern=pattern):
            return isinstance(value, str) and _matches(pattern, value)
        case Sequence():
            return isinstance(value, list) and _holds_sequence(value, shape, definitions)
        case Record():
            return isinstance(value, dict) and _holds_record(value, shape, definitions)
        case Dictionary(values=values, fewest=fewest, most=most):
            return (
                isinstance(value, dict)
                and _is_within(len(value), fewest, most)
                and all(_holds(each, values, definitions) for each in value.values())
            )
        case Choice(options=options):
            return any(_holds(value, option, definitions) for option in options)
        case Reference(name=name):
            return _holds(value, definitions[name], definitions)
        case _:
            assert_never(shape)


def _holds_sequence(value: list[Any], shape: Sequence, definitions: Mapping[str, Shape]) -> bool:
    if not _is_within(len(value), shape.fewest, shape.most):
        return False
    rest = value[len(shape.prefix) :]
    if rest and shape.items is None:
        return False
    return all(
        _holds(each, form, definitions) for each, form in zip(value, shape.prefix, strict=False)
    ) and all(shape.items is not None and _holds(each, shape.items, definitions) for each in rest)


def _holds_record(value: dict[str, Any], shape: Record, definitions: Mapping[str, Shape]) -> bool:
    members = {member.name: member for member in shape.members}
    return all(member.name in value for member in shape.members if member.required) and all(
        name in members and _holds(each, members[name].shape, definitions)
        for name, each in value.items()
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, Decimal) and math.isfinite(value)


def _is_within(value: Any, low: Any, high: Any) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)


def _is_same(value: Any, literal: Any) -> bool:
    # True is 1 in Python, not in JSON.
    return isinstance(value, bool) == isinstance(literal, bool) and value == literal


def _matches(pattern: Pattern, text: str) -> bool:
    return len(text) in _ends(pattern, text, {0})


def _ends(pattern: Pattern, text: str, starts: set[int]) -> set[int]:
    """Return where matches that begin at the starts may end.

    Python's `re` would try one way after another, and a hostile expression has too many.
    """
    match pattern:
        case Characters(ranges=ranges):
            return {at + 1 for at in starts if at < len(text) and _is_in(text[at], ranges)}
        case Joined(parts=parts):
            for part in parts:
                starts = _ends(part, text, starts)
            return starts
        case Either(options=options):
            return set().union(*(_ends(option, text, starts) for option in options))
        case Repeated(part=part, fewest=fewest, most=most):
            for _ in range(fewest):
                starts = _ends(part, text, starts)
            found, latest = set(starts), starts
            for _ in itertools.count() if most is None else range(most - fewest):
                latest = _ends(part, text, latest) - found
                if not latest:
                    break
                found |= latest
            return found
        case _:
            assert_never(pattern)


def _is_in(character: str, ranges: Ranges) -> bool:
    return any(low <= ord(character) <= high for low, high in ranges)
