"""A walk along a grammar ends in a plain answer that validates, if one is short enough."""

import json
from typing import Any

import pytest

from toplu.structured.bounds import SchemaBounds
from toplu.structured.compiler import compile_schema
from toplu.structured.walks.walk import sample_answer

# Whatever is written behind `a:` may go on, so that a walk without a plan does not come to `.b`.
ENDLESS = {"type": "string", "pattern": r"^a:.+\.bcd?$"}
AN_OBJECT = {
    "type": "object",
    "properties": {"a": {"type": "string", "pattern": "b{2}c"}},
    "required": ["a"],
}


def sampled(schema: Any) -> str:
    structure = compile_schema(schema, "schema", SchemaBounds())
    return sample_answer(structure)


@pytest.mark.parametrize(
    ("schema", "plainest"),
    [
        ({"type": "string"}, ""),
        ({"type": "string", "minLength": 3}, "aaa"),
        ({"type": "string", "format": "uri"}, "https://a.a"),
        ({"type": "string", "format": "uri", "minLength": 1, "maxLength": 2083}, "https://a.a"),
        ({"type": "string", "pattern": "wifi"}, "wifi"),
        ({"type": "string", "pattern": "[a-f]{4}-[0-9]{2}"}, "aaaa-11"),
        (AN_OBJECT, {"a": "bbc"}),
    ],
)
def test_the_plainest_answer_is_short(schema: Any, plainest: Any) -> None:
    assert json.loads(sampled(schema)) == plainest


def test_an_answer_that_is_not_found_is_no_text() -> None:
    assert sampled(ENDLESS) == ""
