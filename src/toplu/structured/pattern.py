"""Regular expressions as plain values, and what can be told of the texts that they match."""

from dataclasses import dataclass

UNICODE_MAX = 0x10FFFF

Ranges = tuple[tuple[int, int], ...]


class PatternFault(Exception):
    """Why an expression cannot be followed."""


@dataclass(frozen=True, slots=True)
class Characters:
    """One character out of these ranges of code points."""

    ranges: Ranges


@dataclass(frozen=True, slots=True)
class Joined:
    """One pattern after another; none at all is the empty text."""

    parts: "tuple[Pattern, ...]"


@dataclass(frozen=True, slots=True)
class Either:
    """One of several patterns."""

    options: "tuple[Pattern, ...]"


@dataclass(frozen=True, slots=True)
class Repeated:
    """A pattern several times over."""

    part: "Pattern"
    fewest: int
    most: int | None


Pattern = Characters | Joined | Either | Repeated


def shortest_length(pattern: Pattern) -> int:
    """Return how many characters a match has at least."""
    match pattern:
        case Characters():
            return 1
        case Joined(parts=parts):
            return sum(shortest_length(part) for part in parts)
        case Either(options=options):
            return min(shortest_length(option) for option in options)
        case Repeated(part=part, fewest=fewest):
            return fewest * shortest_length(part)


def longest_length(pattern: Pattern) -> int | None:
    """Return how many characters a match has at most, or None if there is no end."""
    match pattern:
        case Characters():
            return 1
        case Joined(parts=parts):
            lengths = [longest_length(part) for part in parts]
            return None if None in lengths else sum(length or 0 for length in lengths)
        case Either(options=options):
            lengths = [longest_length(option) for option in options]
            return None if None in lengths else max(length or 0 for length in lengths)
        case Repeated(part=part, most=most):
            length = longest_length(part)
            return None if length is None or most is None else most * length


def within(pattern: Pattern, shortest: int, longest: int | None) -> Pattern:
    """Return the pattern with its matches held to a length, or raise PatternFault."""
    longest_match = longest_length(pattern)
    fits = longest is None or (longest_match is not None and longest_match <= longest)
    if fits and shortest_length(pattern) >= shortest:
        return pattern
    only = pattern.parts[0] if isinstance(pattern, Joined) and len(pattern.parts) == 1 else pattern
    if not isinstance(only, Repeated) or not isinstance(only.part, Characters):
        raise PatternFault("cannot be combined with min_length and max_length: count in it instead")
    mosts = [most for most in (only.most, longest) if most is not None]
    fewest, most = max(only.fewest, shortest), min(mosts, default=None)
    if most is not None and most < fewest:
        raise PatternFault("has no match of a length that min_length and max_length allow")
    return Repeated(only.part, fewest, most)


def complement(ranges: Ranges) -> Ranges:
    """Return every code point that is not in the ranges."""
    free: list[tuple[int, int]] = []
    start = 0
    for low, high in sorted(ranges):
        if low > start:
            free.append((start, low - 1))
        start = max(start, high + 1)
    if start <= UNICODE_MAX:
        free.append((start, UNICODE_MAX))
    return tuple(free)
