"""Reads a grammar in GBNF, and says texts that it allows, without any engine.

What a walk says, chosen at random, has to be of the form that the schema asks for: that is how a
grammar which allows too much is found.
"""

import random
import re
from dataclasses import dataclass
from typing import Any

TOKEN = re.compile(
    r'\s*(?:("(?:[^"\\]|\\.)*")|(\[(?:[^\]\\]|\\.)*\])|([a-z][a-z0-9-]*)|([()|*+?])|\{(\d+)(,?)(\d*)\})'
)
ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
LENGTHS = {"x": 2, "u": 4, "U": 8}
MORE_MAX = 3  # repetitions beyond the fewest
DEPTH_MAX = 60  # of rules in rules; below it, the first option that ends soonest


@dataclass(frozen=True, slots=True)
class Walk:
    """A grammar, ready to be walked with a source of choices."""

    rules: dict[str, Any]
    heights: dict[str, float]

    @classmethod
    def of(cls, grammar: str) -> "Walk":
        rules = {}
        for line in grammar.splitlines():
            name, _, body = line.partition(" ::= ")
            assert name not in rules, f"{name} twice"
            rules[name] = _Parser(body).options()
        heights = dict.fromkeys(rules, float("inf"))
        for _ in rules:
            heights |= {name: 1 + _height(node, heights) for name, node in rules.items()}
        assert all(height < float("inf") for height in heights.values()), "a rule has no end"
        return cls(rules, heights)

    def say(self, choose: random.Random) -> str:
        """Return a text that the grammar allows."""
        said: list[str] = []
        self._walk(("rule", "root"), choose, said, 0)
        return "".join(said)

    def allows(self, text: str) -> bool:
        """Return whether the grammar allows exactly this text, which has to be short."""
        return len(text) in self._ends(("rule", "root"), text, 0)

    def _ends(self, node: Any, text: str, at: int) -> set[int]:
        """Return where the node may end in the text if it begins here."""
        kind, value = node
        if kind == "text":
            return {at + len(value)} if text.startswith(value, at) else set()
        if kind == "class":
            negated, ranges = value
            fits = at < len(text) and any(low <= ord(text[at]) <= high for low, high in ranges)
            return {at + 1} if at < len(text) and fits != negated else set()
        if kind == "rule":
            return self._ends(self.rules[value], text, at)
        if kind == "any":
            return set().union(*(self._ends(option, text, at) for option in value))
        if kind == "all":
            ends = {at}
            for part in value:
                ends = set().union(*(self._ends(part, text, end) for end in ends))
            return ends
        part, fewest, most = value
        ends, found, count = {at}, {at} if not fewest else set(), 0
        while ends and (most is None or count < most):
            ends = set().union(*(self._ends(part, text, end) for end in ends)) - found
            count += 1
            found |= ends if count >= fewest else set()
        return found

    def _walk(self, node: Any, choose: random.Random, said: list[str], depth: int) -> None:
        kind, value = node
        if kind == "text":
            said.append(value)
        elif kind == "class":
            negated, ranges = value
            said.append(_character(negated, ranges, choose))
        elif kind == "rule":
            self._walk(self.rules[value], choose, said, depth + 1)
        elif kind == "all":
            for part in value:
                self._walk(part, choose, said, depth)
        elif kind == "any":
            if depth > DEPTH_MAX:
                option = min(value, key=lambda each: _height(each, self.heights))
            else:
                option = choose.choice(value)
            self._walk(option, choose, said, depth)
        else:
            part, fewest, most = value
            spare = MORE_MAX if most is None else min(MORE_MAX, most - fewest)
            # To the very bound now and then: that is where a count goes wrong.
            full = most is not None and most - fewest <= 50 and choose.random() < 0.2
            count = most if full else fewest + choose.randint(0, spare)
            for _ in range(fewest if depth > DEPTH_MAX else count):
                self._walk(part, choose, said, depth)


def _height(node: Any, heights: dict[str, float]) -> float:
    kind, value = node
    if kind == "rule":
        return heights[value]
    if kind == "all":
        return max((_height(part, heights) for part in value), default=0)
    if kind == "any":
        return min(_height(option, heights) for option in value)
    if kind == "repeat":
        return _height(value[0], heights) if value[1] else 0
    return 0


def _character(negated: bool, ranges: list[tuple[int, int]], choose: random.Random) -> str:
    if not negated:
        low, high = choose.choice(ranges)
        return chr(choose.choice([low, high, choose.randint(low, high)]))
    while True:
        code = choose.choice([choose.randint(0x20, 0x7E), choose.randint(0xA0, 0x10FFFF)])
        if not 0xD800 <= code <= 0xDFFF and not any(low <= code <= high for low, high in ranges):
            return chr(code)


class _Parser:
    def __init__(self, body: str) -> None:
        self._body = body
        self._at = 0

    def options(self) -> Any:
        """Read alternatives up to the end or a closing bracket."""
        options: list[Any] = []
        parts: list[Any] = []
        while self._body[self._at :].strip():
            found = TOKEN.match(self._body, self._at)
            assert found, self._body[self._at : self._at + 40]
            if found[4] == ")":
                break
            self._at = found.end()
            if found[4] == "|":
                options.append(("all", parts))
                parts = []
            else:
                self._add(found, parts)
        return ("any", [*options, ("all", parts)])

    def _add(self, found: re.Match[str], parts: list[Any]) -> None:
        text, chars, rule, sign, low, comma, high = found.groups()
        if text is not None:
            parts.append(("text", _unescaped(text[1:-1])))
        elif chars is not None:
            parts.append(("class", _ranges(chars[1:-1])))
        elif rule is not None:
            parts.append(("rule", rule))
        elif sign == "(":
            parts.append(self.options())
            self._at = self._body.index(")", self._at) + 1
        else:
            counts = {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(sign or "")
            if counts is None:
                counts = (int(low), (int(high) if high else None) if comma else int(low))
            parts.append(("repeat", (parts.pop(), *counts)))


def _unescaped(text: str) -> str:
    return "".join(chr(code) for code in _codes(text))


def _codes(text: str) -> list[int]:
    codes, at = [], 0
    while at < len(text):
        if text[at] != "\\":
            codes.append(ord(text[at]))
            at += 1
            continue
        sign = text[at + 1]
        length = LENGTHS.get(sign, 0)
        codes.append(
            int(text[at + 2 : at + 2 + length], 16) if length else ord(ESCAPES.get(sign, sign))
        )
        at += 2 + length
    return codes


def _ranges(body: str) -> tuple[bool, list[tuple[int, int]]]:
    negated = body.startswith("^")
    pieces = re.findall(
        r"(\\(?:x..|u....|U.{8}|.)|[^\\])(?:-(\\(?:x..|u....|U.{8}|.)|[^\\]))?", body[negated:]
    )
    return negated, [(_codes(low)[0], _codes(high or low)[0]) for low, high in pieces]
