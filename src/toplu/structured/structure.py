"""The form that an answer must have, for engines that hold to it and for the proof that it does.

responseSchema ──▶ JSON Schema ──▶ grammar      an engine holds to it while it decodes
responseJsonSchema ──▲      └────▶ validator    proves the finished answer
"""

import json
from dataclasses import dataclass, field
from typing import Any

from toplu.structured.validator import NOT_JSON, Validator, Violation

EXACT = 2**63  # smaller integers are exact for most readers of JSON


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Proof:
    """Decides whether a finished answer has its form."""

    validator: Validator = field(repr=False)
    bare: bool = False  # a string without its quotes, as text/x.enum wants

    def find_violation(self, answer: str) -> Violation | None:
        """Return what is wrong with a finished answer, None if it validates."""
        if self.bare:
            return self.validator.find_violation(answer)
        try:
            value = json.loads(
                answer,
                parse_constant=_refuse,
                parse_int=_read_integer,
                object_pairs_hook=_read_object,
            )
        except (ValueError, OverflowError, RecursionError):
            return Violation(keyword=NOT_JSON, place="$")
        return self.validator.find_violation(value)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Structure(Proof):
    """The form that an answer must have: `find_violation` decides, `rule` helps to get there."""

    json_schema: Any  # the client's own, less options of engines
    held_schema: dict[str, Any] = field(repr=False)  # what the rule is made of
    rule: str  # the right side of a rule in llguidance's Lark: what may be decoded

    @property
    def grammar(self) -> str:
        """The whole grammar, in llguidance's Lark."""
        return write_whole("start: answer\n" + self.rules)

    @property
    def rules(self) -> str:
        """The rules of the symbol `answer`."""
        return f"answer: {self.rule}\n"


def write_whole(rules: str) -> str:
    """Return the rules, `start` among them, as a grammar that engines know for llguidance's."""
    return f"%llguidance {{}}\n{rules}"


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no JSON")


def _read_integer(text: str) -> int:
    """Return the integer; ValueError if readers of JSON would not agree on it."""
    value = int(text)
    if abs(value) >= EXACT and float(value) != value:
        raise ValueError(f"{text[:20]}… is no number of 64 bits")
    return value


def _read_object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object; ValueError if readers of JSON would not agree on its members."""
    value = dict(members)
    if len(value) != len(members):
        raise ValueError("a name comes twice")
    return value
