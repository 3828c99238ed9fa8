"""Writes shapes as a grammar in llama.cpp's notation, GBNF.

White space is one blank at most, behind a comma or a colon: small models would otherwise fill
their answers with it. Counts are what makes a grammar large, so each one is charged.
"""

import json
from collections.abc import Mapping
from typing import assert_never

from toplu.structured import numbers
from toplu.structured.characters import CHARACTER, character_rule, quote
from toplu.structured.pattern import Characters, Either, Joined, Pattern, Repeated
from toplu.structured.shape import (
    TOO_MANY_STATES,
    Anything,
    Choice,
    Dictionary,
    Integer,
    Literals,
    Matched,
    Member,
    Number,
    Record,
    Reference,
    SchemaFault,
    Sequence,
    Shape,
    Text,
)

COMMA, COLON = '"," " "?', '":" " "?'
FREE_DEPTH = 5  # of objects and arrays of any form in one another
BLOCK = 1000  # llama.cpp takes counts up to 2000
ENDLESS = 1_000_000  # a bound beyond the length of every answer
STATES_MAX = 20_000
BYTES_MAX = 256 * 1024


def write_grammar(
    shape: Shape,
    definitions: Mapping[str, Shape],
    path: str,
    *,
    bare: tuple[str, ...] = (),
    name: str = "root",
) -> str:
    """Return the grammar of the shape, or of one of the bare texts, or raise SchemaFault.

    It begins with the rule `name`; the others are called rule-… and definition-….
    """
    writer = _Writer(definitions, path)
    body = " | ".join(quote(text) for text in bare) if bare else writer.write(shape)
    return writer.finish(name, body)


class _Writer:
    """Rules in the making; equal bodies share one rule."""

    def __init__(self, definitions: Mapping[str, Shape], path: str) -> None:
        self._definitions = definitions
        self._path = path
        self._names: dict[str, str] = {}  # by body
        self._defined: dict[str, str] = {}  # names of definitions
        self._states = 0
        self._bytes = 0

    def finish(self, name: str, body: str) -> str:
        """Return all rules, beginning with this one."""
        definitions: dict[str, str] = {}
        # Writing one definition may refer to the next.
        while len(definitions) < len(self._defined):
            for reference, defined in list(self._defined.items()):
                if defined not in definitions:
                    definitions[defined] = self.write(self._definitions[reference])
        self._charge(0, body)
        named = {symbol: body for body, symbol in self._names.items()} | definitions
        return "".join(f"{symbol} ::= {rule}\n" for symbol, rule in {name: body, **named}.items())

    def write(self, shape: Shape) -> str:  # noqa: C901  # one case for each shape
        """Return a symbol that stands for the shape."""
        match shape:
            case Anything(only_containers=only_containers):
                return self._anything(FREE_DEPTH, only_containers=only_containers)
            case Literals(texts=texts):
                body = " | ".join(quote(text) for text in texts)
            case Integer():
                body = numbers.integer_rule(shape)
            case Number():
                body = numbers.number_rule(shape)
            case Text(shortest=shortest, longest=longest):
                body = self._quoted(self._repeat(self._rule(CHARACTER), shortest, longest))
            case Matched(pattern=pattern):
                body = self._quoted(self._pattern(pattern))
            case Sequence():
                body = self._sequence(shape)
            case Record():
                body = self._record(shape)
            case Dictionary(values=values, fewest=fewest, most=most):
                body = self._dictionary(self.write(values), fewest, most)
            case Choice(options=options):
                body = " | ".join(self.write(option) for option in options)
            case Reference(name=name):
                return self._defined.setdefault(name, f"definition-{len(self._defined)}")
            case _:
                assert_never(shape)
        return self._rule(body)

    def _rule(self, body: str) -> str:
        if body not in self._names:
            self._charge(1, body)
            self._names[body] = f"rule-{len(self._names)}"
        return self._names[body]

    def _charge(self, states: int, body: str = "") -> None:
        self._states += states
        self._bytes += len(body)
        if self._states > STATES_MAX or self._bytes > BYTES_MAX:
            raise SchemaFault(self._path, TOO_MANY_STATES)

    def _repeat(self, symbol: str, fewest: int, most: int | None) -> str:
        """Return the symbol so many times over, in blocks if they are many."""
        if most is None or most >= ENDLESS:
            return f"{self._exactly(symbol, fewest)} {symbol}*".lstrip()
        return f"{self._exactly(symbol, fewest)} {self._up_to(symbol, most - fewest)}".strip()

    def _exactly(self, symbol: str, count: int) -> str:
        self._charge(min(count, BLOCK + count // BLOCK))
        if count <= BLOCK:
            return f"{symbol}{{{count}}}" if count else ""
        block = self._rule(f"{symbol}{{{BLOCK}}}")
        blocks, rest = divmod(count, BLOCK)
        return f"{block}{{{blocks}}} {self._exactly(symbol, rest)}".rstrip()

    def _up_to(self, symbol: str, count: int) -> str:
        if count == 0:
            return ""
        self._charge(min(count, 2 * BLOCK + count // BLOCK))
        if count <= BLOCK:
            return f"{symbol}{{0,{count}}}"
        block = self._rule(f"{symbol}{{{BLOCK}}}")
        blocks, rest = divmod(count, BLOCK)
        full = f"{block}{{{blocks}}}" + (f" {symbol}{{0,{rest}}}" if rest else "")
        return f"({block}{{0,{blocks - 1}}} {symbol}{{0,{BLOCK - 1}}} | {full})"

    def _quoted(self, body: str) -> str:
        return f'"\\"" {body} "\\""' if body else '"\\"\\""'

    def _sequence(self, shape: Sequence) -> str:
        first = f" {COMMA} ".join(self.write(item) for item in shape.prefix)
        if shape.items is None or shape.most == len(shape.prefix):
            return f'"[" {first} "]"'
        item = self.write(shape.items)
        if not first:
            return f'"[" {self._listed(item, shape.fewest, shape.most)} "]"'
        count = len(shape.prefix)
        most = None if shape.most is None else shape.most - count
        more = self._repeat(self._rule(f"{COMMA} {item}"), max(0, shape.fewest - count), most)
        return f'"[" {first} {more} "]"'

    def _listed(self, item: str, fewest: int, most: int | None) -> str:
        """Return items between commas."""
        if most == 0:
            return ""
        more = self._rule(f"{COMMA} {item}")
        body = f"{item} {self._repeat(more, max(0, fewest - 1), most and most - 1)}".rstrip()
        return body if fewest else f"({body})?"

    def _record(self, shape: Record) -> str:
        said = [(self._member(member), member) for member in shape.members]
        firm = next((at for at, (_, member) in enumerate(said) if member.required), None)
        if firm is None:
            return f'"{{" ({self._any_first([rule for rule, _ in said])})? "}}"' if said else '"{}"'
        before = [f"({rule} {COMMA})?" for rule, _ in said[:firm]]
        after = [
            f"{COMMA} {rule}" if member.required else f"({COMMA} {rule})?"
            for rule, member in said[firm + 1 :]
        ]
        return " ".join(['"{"', *before, said[firm][0], *after, '"}"'])

    def _member(self, member: Member) -> str:
        name = quote(json.dumps(member.name, ensure_ascii=False))
        return self._rule(f"{name} {COLON} {self.write(member.shape)}")

    def _any_first(self, rules: list[str]) -> str:
        """Return members that may all be missing, at least one of them."""
        options, tail = [], ""
        for rule in reversed(rules):
            options.append(f"{rule} {tail}".rstrip())
            tail = self._rule(f"({COMMA} {rule})? {tail}".rstrip())
        return " | ".join(reversed(options))

    def _dictionary(self, value: str, fewest: int, most: int | None) -> str:
        member = self._rule(f"{self.write(Text())} {COLON} {value}")
        return f'"{{" {self._listed(member, fewest, most)} "}}"'

    def _anything(self, depth: int, *, only_containers: bool = False) -> str:
        plain: list[Shape] = [
            Literals(("true", "false", "null")),
            Number(low=None, high=None),
            Text(),
        ]
        options = [] if only_containers else [self.write(shape) for shape in plain]
        if depth:
            inner = self._anything(depth - 1)
            options.append(self._rule(self._dictionary(inner, 0, None)))
            options.append(self._rule(f'"[" {self._listed(inner, 0, None)} "]"'))
        return self._rule(" | ".join(options))

    def _pattern(self, pattern: Pattern) -> str:
        match pattern:
            case Characters(ranges=ranges):
                return self._rule(character_rule(ranges, self._path))
            case Joined(parts=parts):
                body = " ".join(filter(None, (self._pattern(part) for part in parts)))
            case Either(options=options):
                body = " | ".join(self._pattern(option) or '""' for option in options)
            case Repeated(part=part, fewest=fewest, most=most):
                symbol = self._pattern(part)
                body = self._repeat(symbol, fewest, most) if symbol else ""
            case _:
                assert_never(pattern)
        return self._rule(body) if body else ""
