"""Schemas are plain only if they are so with every reference in its place."""

import math
from typing import Any

import pytest

from support.structured.hostile_schemas import COSTLY, COSTLY_TO_PROVE, chained, choices, matching
from support.structured.structured_cases import CASES, Case
from toplu.structured.guard.plain import is_plain, pattern_cost

PLAIN: dict[str, Any] = {
    "anything": True,
    "its own id": {"$id": "https://example.com/a", "type": "object"},
    "a property of that name": {"properties": {"id": {"type": "string"}, "not": {"type": "null"}}},
    "a reference": {"$defs": {"a": {"type": "null"}}, "properties": {"a": {"$ref": "#/$defs/a"}}},
    "used twice": chained(5, lambda at: {"properties": {"a": {"$ref": at}, "b": {"$ref": at}}}),
    "some choices": choices(of=2, each=4),
    "a UUID": matching("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"),
    "1,000 labels": {"enum": [f"label {at}" for at in range(1_000)]},
}
NOT_PLAIN: dict[str, Any] = {
    "an id within": {"properties": {"a": {"$id": "b", "type": "null"}}},
    "itself": {"type": "array", "items": {"$ref": "#"}},
    "nothing there": {"$ref": "#/$defs/a"},
    "elsewhere": {"$ref": "https://example.com/a"},
    "escaped": {"$defs": {"a b": True}, "$ref": "#/$defs/a%20b"},
    "many choices": choices(of=3, each=5),
    "choices of properties that meet": {
        "allOf": [{"properties": {"a": {"enum": [1], "anyOf": [{}] * 9}}} for _ in range(2)]
    },
    "branches": {"allOf": [{"if": {"const": at}, "then": {"minimum": at}} for at in range(4)]},
    "a long chain": chained(200, lambda at: {"$ref": at}),
    "doubled": chained(20, lambda at: {"properties": {"a": {"$ref": at}, "b": {"$ref": at}}}),
    "look-around": matching("^(?!a)"),
    "a long repetition": matching("^.{0,20000}$"),
    "a long text of a pattern": matching("^a*$") | {"maxLength": 10**6},
    "long at least": {"type": "string", "minLength": 10**6},
    "tiny multiples": {"multipleOf": 1e-9},
    "many labels": {"enum": [f"label {at}" for at in range(20_000)]},
    "deep": chained(80, lambda at: {"properties": {"a": {"$ref": at}}}),
} | COSTLY | COSTLY_TO_PROVE  # fmt: skip


@pytest.mark.parametrize("name", PLAIN)
def test_what_costs_little_is_plain(name: str) -> None:
    assert is_plain(PLAIN[name])


@pytest.mark.parametrize(
    "case", [each for each in CASES if each.name != "tree"], ids=lambda case: case.name
)
def test_what_people_send_is_plain(case: Case) -> None:
    assert is_plain(case.json_schema)


@pytest.mark.parametrize("name", NOT_PLAIN)
def test_what_may_cost_more_is_not(name: str) -> None:
    assert not is_plain(NOT_PLAIN[name])


@pytest.mark.parametrize(
    ("pattern", "cost"),
    [
        ("abc", 3),
        ("^a{10}$", 22),
        ("(a{10}){10}", 210),
        (r"\d{3}", 12),
        (r"[\]a]{2,4}b", 9),
        (r"a\{3,999}", 8),
        ("(?P<name>a)", 1),
        ("a{1,1000000}", math.inf),
        ("(?<=a)b", math.inf),
        (r"(a)\1", math.inf),
        ("a))", math.inf),
    ],
)
def test_a_pattern_costs_as_much_as_it_repeats(pattern: str, cost: float) -> None:
    assert pattern_cost(pattern) == cost
