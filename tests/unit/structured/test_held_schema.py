"""The part of a schema that stays when a grammar cannot hold all of it."""

from typing import Any

import jsonschema
import pytest

from toplu.structured.bounds import SchemaBounds
from toplu.structured.compiler import compile_schema
from toplu.structured.held_schema import COUNT_MAX, without, write_held

PATTERNS = {"a": {"type": "integer"}, "b": {"type": "boolean"}}
CLOSED = {"type": "object", "patternProperties": PATTERNS, "additionalProperties": False}


def test_without_its_patterns_an_object_keeps_what_they_say_of_values() -> None:
    kept = without(CLOSED, frozenset({"patternProperties"}))
    assert kept == {"type": "object", "additionalProperties": {"anyOf": list(PATTERNS.values())}}


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param(CLOSED | {"properties": {"c": {}}}, id="it lists others"),
        pytest.param(CLOSED | {"additionalProperties": {"type": "null"}}, id="it is open"),
        pytest.param(CLOSED | {"patternProperties": {}}, id="it has none"),
    ],
)
def test_without_its_patterns_an_object_has_what_else_it_may_have(schema: dict[str, Any]) -> None:
    kept = without(schema, frozenset({"patternProperties"}))
    assert kept == {name: schema[name] for name in schema if name != "patternProperties"}


def test_patterns_that_no_grammar_takes_together_leave_an_object_its_properties() -> None:
    # llguidance refuses patterns that may both match a name.
    held = compile_schema(CLOSED | {"minProperties": 1}, "schema", SchemaBounds()).held_schema
    assert "patternProperties" not in held
    validator = jsonschema.Draft202012Validator(held)
    assert validator.is_valid({"a": 1})
    assert not validator.is_valid({"a": "x"})


@pytest.mark.parametrize("closed", [True, False])
def test_a_count_beyond_what_an_engine_counts_is_left_to_the_validator(closed: bool) -> None:
    schema = {
        "properties": {
            "a": {"type": "array", "minItems": 10**9, "maxItems": 10**9},
            "b": {"type": "string", "minLength": 10**6, "maxLength": 10**6 + 1},
            "c": {"type": "object", "minProperties": COUNT_MAX + 1, "maxProperties": 10**5},
            "maxItems": {"type": "array", "minItems": 1, "maxItems": COUNT_MAX},
        }
    }
    held = write_held(schema, closed=closed)["properties"]
    assert held["a"] == {"type": "array", "minItems": COUNT_MAX}
    assert held["b"] == {"type": "string", "minLength": COUNT_MAX}
    assert held["c"] == {"type": "object", "minProperties": COUNT_MAX}
    assert held["maxItems"] == schema["properties"]["maxItems"]
    validates = compile_schema({"type": "array", "maxItems": 10**5}, "schema", SchemaBounds())
    assert validates.find_violation(str([0] * 10**5)) is None
    assert str(validates.find_violation(str([0] * (10**5 + 1)))) == "`maxItems` at $"
