"""Tells the schemas that cost next to nothing, whatever the libraries do with them.

Everything else may make a library recurse until the stack ends, or go through all combinations of
its choices: such a schema is compiled and proved in a process of its own. A schema that is called
plain has to be so; one that is not, and could be, only takes a little longer.
"""

import math
import re
from typing import Any

NODES_MAX = 10_000  # values, with every reference in its place, and states of patterns
DEPTH_MAX = 150  # with every reference in its place
WAYS_MAX = 64  # through the choices that have to be met together
COUNT_MAX = 10_000
SMALL, LARGE = 1e-6, 1e12  # between which numbers do not lose digits

COSTLY = frozenset(
    {
        "$id",
        "id",
        "$anchor",
        "$dynamicAnchor",
        "$dynamicRef",
        "$recursiveAnchor",
        "$recursiveRef",
        "$vocabulary",
        "dependentSchemas",
        "unevaluatedItems",
        "unevaluatedProperties",
        "propertyNames",
        "contains",
    }
)
COUNTS = frozenset({"minLength", "minItems", "minProperties"})
NUMBERS = frozenset({"multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})
BRANCHES = frozenset({"if", "then", "else", "not"})
FORMAT_COST = 200

# Look-around, conditions and back-references are what a matcher has to try out.
_TRIED = re.compile(r"\(\?(?!:|i\)|P?<[A-Za-z_])|\\[1-9kKgG]")
_TOKEN = re.compile(
    r"\\[pP]\{[^}]*\}|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{(?P<low>\d*)(?P<comma>,?)(?P<high>\d*)\}"
    r"|(?P<quantifier>[*+?])|(?P<opens>\((?:\?:|\?i\)|\?P?<\w+>)?)|(?P<closes>\))|.",
    re.DOTALL,
)
_CLASS_COST = {"\\p": 20, "\\P": 20, "\\w": 10, "\\W": 10, "\\d": 3, "\\D": 3, "\\s": 3, "\\S": 3}
_DIGITS_MAX = 5


class _NotPlain(Exception):
    """The schema may take more than it looks."""


def is_plain(schema: Any) -> bool:
    """Return whether the schema, within its bounds of depth and size, takes next to nothing."""
    try:
        ways = _Reader(schema).ways(schema, 0, frozenset())
    except _NotPlain:
        return False
    return ways <= WAYS_MAX


def pattern_cost(pattern: str) -> float:
    """Return about how many states a regular expression has; infinite: it has to be tried out."""
    if _TRIED.search(pattern):
        return math.inf
    sums: list[float] = [0]  # of the groups that are open
    last: float = 0  # the cost of what a quantifier would repeat
    for token in _TOKEN.finditer(pattern):
        if token["opens"]:
            sums[-1] += last
            sums.append(0)
            last = 0
        elif token["closes"]:
            last += sums.pop()
            if not sums:
                return math.inf  # no pattern
        elif token["quantifier"]:
            last += 1
        elif token["low"] is not None:
            digits = max(token["low"], token["high"], key=len)
            if len(digits) > _DIGITS_MAX:
                return math.inf
            last = (last + 1) * max(1, int(token["high"] or token["low"] or 0))
        else:
            sums[-1] += last
            last = _CLASS_COST.get(token[0][:2], 1 + 20 * token[0].count("\\p"))
    return sum(sums) + last


class _Reader:
    """Reads a schema with every reference in its place, as far as it stays plain."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._nodes: float = 0

    def ways(self, value: Any, depth: int, references: frozenset[str]) -> int:
        """Return through how many combinations of its choices a value may have to go."""
        self._spend(1)
        if depth > DEPTH_MAX:
            raise _NotPlain
        if isinstance(value, list):
            return max((self.ways(each, depth + 1, references) for each in value), default=1)
        if not isinstance(value, dict):
            return 1
        if "pattern" in value and _number(value.get("maxLength")) > COUNT_MAX:
            raise _NotPlain
        together, apart = 1, 1
        for keyword, inner in value.items():
            if not (depth == 0 and keyword in ("$id", "id")):
                self._check(keyword, inner)
            joined = self._joined(keyword, inner, depth, references)
            if joined is None:
                apart = max(apart, self.ways(inner, depth + 1, references))
            else:
                together *= joined
        if together > WAYS_MAX:
            raise _NotPlain
        return max(together, apart)

    def _joined(
        self, keyword: str, inner: Any, depth: int, references: frozenset[str]
    ) -> int | None:
        """Return the ways of what has to be met together with the rest, None if it is apart."""
        if keyword == "$ref" and isinstance(inner, str):
            if inner in references:
                raise _NotPlain
            return self.ways(self._target(inner), depth + 1, references | {inner})
        if keyword in BRANCHES and isinstance(inner, dict):
            return 2 * self.ways(inner, depth + 1, references)
        if keyword not in ("allOf", "anyOf", "oneOf") or not isinstance(inner, list):
            return None
        ways = [self.ways(each, depth + 1, references) for each in inner]
        return math.prod(ways) if keyword == "allOf" else sum(ways)

    def _check(self, keyword: str, inner: Any) -> None:
        if keyword in COSTLY and not (keyword == "id" and isinstance(inner, dict)):
            raise _NotPlain
        if keyword in COUNTS and _number(inner) > COUNT_MAX:
            raise _NotPlain
        if keyword in NUMBERS and _number(inner) and not SMALL < abs(_number(inner)) < LARGE:
            raise _NotPlain
        if keyword == "pattern" and isinstance(inner, str):
            self._spend(pattern_cost(inner))
        if keyword == "format" and isinstance(inner, str):
            self._spend(FORMAT_COST)
        if keyword == "patternProperties" and isinstance(inner, dict):
            self._spend(sum(map(pattern_cost, inner)) * len(inner))

    def _spend(self, nodes: float) -> None:
        self._nodes += nodes
        if self._nodes > NODES_MAX:
            raise _NotPlain

    def _target(self, reference: str) -> Any:
        """Return what a reference within the document leads to."""
        if reference != "#" and not re.fullmatch(r"#(/[^%~]*)", reference):
            raise _NotPlain
        found = self._root
        for step in reference.split("/")[1:]:
            if not isinstance(found, dict) or step not in found:
                raise _NotPlain
            found = found[step]
        return found


def _number(value: Any) -> float:
    """Return the value if it is a number, else nothing."""
    return value if isinstance(value, int | float) else 0
