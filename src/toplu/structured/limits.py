"""Keeps a schema from being more than an engine can follow.

A grammar is followed along every way that what was said so far may have gone. A choice between
shapes that begin alike doubles the ways, and a choice within it doubles them again: a hostile
schema of a hundred words could hold up an engine for good.
"""

import math
from collections.abc import Mapping
from typing import assert_never

from toplu.structured.disjoint import FIRST_SIGNS, kind_of
from toplu.structured.minimal_value import size_of, sizes_of
from toplu.structured.pattern import (
    Characters,
    Either,
    Joined,
    Pattern,
    Repeated,
    longest_length,
    shortest_length,
)
from toplu.structured.shape import (
    TOO_MANY_STATES,
    Anything,
    Choice,
    Dictionary,
    Integer,
    Literals,
    Matched,
    Number,
    Record,
    Reference,
    SchemaFault,
    Sequence,
    Shape,
    Text,
)

Definitions = Mapping[str, Shape]
Kinds = Mapping[str, frozenset[str]]  # of each definition

WAYS_MAX = 1000
ROUNDS = 12  # of a definition within itself: ways that grow at all pass the limit in so many
SMALLEST_SIZE_MAX = 100_000  # characters, more than models say in one answer
KINDS = frozenset(FIRST_SIGNS.values()) | {"number"}


def check_limits(shape: Shape, definitions: Definitions, path: str) -> None:
    """Raise SchemaFault if no answer could ever meet the schema, or too many ways lead there."""
    for name in definitions:
        if _refers_to_itself(name, definitions):
            raise SchemaFault(_place(name, path), "refers to nothing but itself.")
    sizes = sizes_of(definitions)
    for name, size in sizes.items():
        if math.isinf(size):
            raise SchemaFault(_place(name, path), "requires itself without end.")
    if size_of(shape, sizes) > SMALLEST_SIZE_MAX:
        raise SchemaFault(path, TOO_MANY_STATES)
    kinds = _kinds_of(definitions)
    ways = dict.fromkeys(definitions, 1)
    for _ in range(ROUNDS):
        ways = {name: _ways(each, kinds, ways) for name, each in definitions.items()}
        if max(ways.values(), default=1) > WAYS_MAX:
            break
    if max([_ways(shape, kinds, ways), *ways.values()]) > WAYS_MAX:
        raise SchemaFault(path, TOO_MANY_STATES)


def _place(name: str, path: str) -> str:
    within = name.partition("#")[2]  # a scope may stand before it
    return f"{path}{within.replace('/', '.')}"


def _refers_to_itself(name: str, definitions: Definitions) -> bool:
    """Return whether the definition leads back to itself before anything is said."""
    seen: set[str] = set()
    waiting = _heads(definitions[name])
    while waiting:
        head = waiting.pop()
        if head == name:
            return True
        if head not in seen:
            seen.add(head)
            waiting += _heads(definitions[head])
    return False


def _heads(shape: Shape) -> list[str]:
    if isinstance(shape, Reference):
        return [shape.name]
    if isinstance(shape, Choice):
        return [name for option in shape.options for name in _heads(option)]
    return []


def _ways(  # noqa: PLR0911  # one case for each shape
    shape: Shape, kinds: Kinds, known: Mapping[str, int]
) -> int:
    """Return at most how many ways are open at the same time while the shape is said."""
    match shape:
        case Anything() | Integer() | Number() | Text():
            return 1
        case Literals(texts=texts):
            return len(texts)
        case Matched(pattern=pattern):
            return pattern_ways(pattern)
        case Sequence(prefix=prefix, items=items):
            held = [*prefix, *([] if items is None else [items])]
            return max((_ways(item, kinds, known) for item in held), default=1)
        case Record(members=members):
            inner = [_ways(member.shape, kinds, known) for member in members]
            return max([len(members), *inner])
        case Dictionary(values=values):
            return _ways(values, kinds, known)
        case Choice(options=options):
            return _choice_ways(options, kinds, known)
        case Reference(name=name):
            return known[name]
        case _:
            assert_never(shape)


def _choice_ways(options: tuple[Shape, ...], kinds: Kinds, known: Mapping[str, int]) -> int:
    """Return the ways of the kind of value that has the most, for the first sign tells the kind."""
    ways = dict.fromkeys(KINDS, 0)
    for option in options:
        for kind in _kinds(option, kinds):
            ways[kind] += _ways(option, kinds, known)
    return max(ways.values())


def _kinds_of(definitions: Definitions) -> Kinds:
    kinds: dict[str, frozenset[str]] = dict.fromkeys(definitions, frozenset())
    for _ in definitions:
        before = dict(kinds)
        for name in reversed(list(definitions)):  # what refers to another is read before it
            kinds[name] = _kinds(definitions[name], kinds)
        if kinds == before:
            break
    return kinds


def _kinds(  # noqa: PLR0911  # one case for each shape
    shape: Shape, known: Kinds
) -> frozenset[str]:
    match shape:
        case Anything():
            return KINDS
        case Literals(texts=texts):
            return frozenset(kind_of(text) for text in texts)
        case Integer() | Number():
            return frozenset({"number"})
        case Text() | Matched():
            return frozenset({"string"})
        case Sequence():
            return frozenset({"array"})
        case Record() | Dictionary():
            return frozenset({"object"})
        case Choice(options=options):
            return frozenset().union(*(_kinds(option, known) for option in options))
        case Reference(name=name):
            return known[name]
        case _:
            assert_never(shape)


def pattern_ways(pattern: Pattern) -> int:
    """Return at most how many ways are open at the same time within a pattern."""
    match pattern:
        case Characters():
            return 1
        case Joined(parts=parts):
            # A part that may end early is still open while the next ones have begun.
            return max(sum(pattern_ways(part) for part in parts if not _is_fixed(part)), 1) + max(
                (pattern_ways(part) for part in parts if _is_fixed(part)), default=0
            )
        case Either(options=options):
            return sum(pattern_ways(option) for option in options)
        case Repeated(part=part, fewest=fewest, most=most):
            if _is_fixed(part):
                return pattern_ways(part)
            # Each match may be at any of its places, and be any of the matches.
            return _places(part) * max(fewest, most or 0, 1)
        case _:
            assert_never(pattern)


def _places(pattern: Pattern) -> int:
    """Return at how many places within the pattern a text may end."""
    match pattern:
        case Characters():
            return 1
        case Joined(parts=parts) | Either(options=parts):
            return sum(_places(part) for part in parts)
        case Repeated(part=part, fewest=fewest, most=most):
            return _places(part) * max(fewest, most or 0, 1)
        case _:
            assert_never(pattern)


def _is_fixed(pattern: Pattern) -> bool:
    return shortest_length(pattern) == longest_length(pattern)
