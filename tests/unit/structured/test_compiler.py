"""Any valid schema is compiled, and what is compiled decides which answers are valid."""

import json
import random
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings

from support.structured.json_schemas import json_schemas
from support.structured.structured_cases import CASES, Case
from toplu.structured.bounds import SchemaBounds
from toplu.structured.compiler import compile_schema
from toplu.structured.schema_fault import SchemaFault
from toplu.structured.structure import Structure
from toplu.structured.walks.walk import sample_answer, walk

WALKS = 20
D4, D6, D7 = (f"http://json-schema.org/draft-0{number}/schema#" for number in (4, 6, 7))
D2019, D2020 = (f"https://json-schema.org/draft/{name}/schema" for name in ("2019-09", "2020-12"))


def compiled(schema: Any) -> Structure:
    return compile_schema(schema, "schema", SchemaBounds())


def drawn(structure: Structure) -> list[str]:
    answers = (walk(structure.grammar, random.Random(seed)) for seed in range(WALKS))
    return [answer for answer in answers if answer is not None]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_whatever_the_grammar_of_a_plain_schema_allows_validates(case: Case) -> None:
    structure = compiled(case.json_schema)
    answers = drawn(structure)
    assert answers
    for answer in (sample_answer(structure), *answers):
        jsonschema.Draft202012Validator(case.json_schema).validate(json.loads(answer))
        assert structure.find_violation(answer) is None


class NameTwice(ValueError):
    """An object has a name twice, which JSON Schema says nothing about."""


def with_names_once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(named := dict(members)) < len(members):
        raise NameTwice
    return named


def is_valid(schema: Any, answer: str) -> bool:
    try:
        value = json.loads(answer, object_pairs_hook=with_names_once)
    except NameTwice:
        return False
    return bool(jsonschema.Draft202012Validator(schema).is_valid(value))


@pytest.mark.slow
@settings(max_examples=100)
@given(json_schemas)
def test_a_random_schema_is_compiled_unless_no_value_meets_it(schema: Any) -> None:
    try:
        structure = compiled(schema)
    except SchemaFault as fault:
        assert "no value can meet" in fault.reason  # noqa: PT017
        return
    for answer in drawn(structure):
        assert (structure.find_violation(answer) is None) == is_valid(schema, answer), answer


VALID: list[tuple[dict[str, Any], str, str]] = [
    # The schema, an answer that is valid, one that is not.
    ({"type": "array", "uniqueItems": True}, "[1, 2]", "[1, 1]"),
    ({"not": {"type": "string"}}, "1", '"a"'),
    ({"oneOf": [{"multipleOf": 2}, {"multipleOf": 3}]}, "4", "6"),
    ({"if": {"type": "integer"}, "then": {"minimum": 3}}, "3", "2"),
    ({"contains": {"const": 1}, "type": "array"}, "[0, 1]", "[0]"),
    ({"patternProperties": {"^a": {"type": "integer"}}}, '{"ab": 1}', '{"ab": "1"}'),
    ({"propertyNames": {"maxLength": 2}}, '{"ab": 1}', '{"abc": 1}'),
    ({"dependentRequired": {"a": ["b"]}}, '{"a": 1, "b": 2}', '{"a": 1}'),
    ({"type": "number", "multipleOf": 0.01}, "0.29", "0.295"),
    ({"type": "integer", "multipleOf": 123456789012345678}, "123456789012345678", "3"),
    (
        {
            "allOf": [
                {"anyOf": [{"type": "integer", "minimum": at}, {"type": "string", "maxLength": at}]}
                for at in range(10)
            ]
        },
        "9",
        "8",
    ),
    ({"allOf": [{"pattern": "^a"}, {"pattern": "b$"}]}, '"ab"', '"a"'),
    ({"pattern": "^(?!a)"}, '"b"', '"ab"'),
    ({"format": "uuid4"}, '"00000000-0000-4000-8000-000000000000"', '"00000000-0000-1000"'),
    ({"format": "date"}, '"2024-02-29"', '"2023-02-29"'),
    ({"format": "ipv6"}, '"::1"', '"::g"'),
    ({"format": "email"}, '"a@b.c"', '"a"'),
    ({"format": "somebody's own"}, '"x"', ""),
    ({"ui:widget": "x", "type": "integer"}, "1", "{}"),
    ({"note": {"format": {}, "minProperties": "x", "properties": {"a": 1}}}, "1", "1" * 400),
    ({"x-guidance": {"lenient": False}, "type": "integer"}, "1", "{}"),
    ({"$schema": D4, "minimum": 1, "exclusiveMinimum": True}, "2", "1"),
    ({"$schema": D4, "$ref": "#/definitions/a", "definitions": {"a": {"enum": [1]}}}, "1", "2"),
    ({"$schema": D6, "exclusiveMinimum": 1}, "2", "1"),
    (
        {"$schema": D7, "items": [{"type": "string"}], "additionalItems": False},
        '["a"]',
        '["a", 1]',
    ),
    ({"items": [{"type": "string"}], "additionalItems": False}, '["a"]', '["a", 1]'),
    ({"$schema": D2019, "items": [{"type": "string"}, {"type": "null"}]}, '["a", null]', "[1]"),
    ({"$schema": D2020, "prefixItems": [{"type": "string"}]}, '["a", 1]', "[1]"),
    ({"$schema": "https://example.com/own", "type": "null"}, "null", "1"),
    (
        {"$defs": {"A<B>": {"enum": ["x"]}}, "properties": {"a": {"$ref": "#/$defs/A%3CB%3E"}}},
        '{"a": "x"}',
        '{"a": "y"}',
    ),
]


@pytest.mark.parametrize("draft", [D4, D6, D7])
def test_what_stands_beside_a_reference_counts_only_in_the_newer_drafts(draft: str) -> None:
    schema = {
        "$schema": draft,
        "type": "object",
        "properties": {"a": {"$ref": "#/definitions/a", "type": "string", "minLength": 2}},
        "required": ["a"],
        "definitions": {"a": {"type": "integer", "minimum": 1, "maximum": 3}},
    }
    assert set(drawn(compiled(schema))) == {f'{{"a": {number}}}' for number in (1, 2, 3)}
    with pytest.raises(SchemaFault, match="no value can meet"):
        compiled(schema | {"$schema": D2020})


def test_a_reference_to_itself_with_a_title_is_held() -> None:
    node = {"properties": {"next": {"$ref": "#/definitions/node", "title": "x", "type": "object"}}}
    node |= {"type": "object", "required": ["name"], "additionalProperties": False}
    node["properties"] |= {"name": {"enum": ["x"]}}
    schema = {"$schema": D4, "$ref": "#/definitions/node", "definitions": {"node": node}}
    structure = compiled(schema)
    assert all(structure.find_violation(answer) is None for answer in drawn(structure))


@pytest.mark.parametrize(("schema", "valid", "invalid"), VALID)
def test_a_valid_schema_of_any_draft_decides_and_has_an_answer(
    schema: dict[str, Any], valid: str, invalid: str
) -> None:
    structure = compiled(schema)
    assert structure.find_violation(valid) is None
    assert structure.find_violation(invalid) is not None
    assert structure.find_violation(sample_answer(structure)) is None


def test_a_violation_names_keyword_and_place() -> None:
    schema = {"properties": {"tags": {"type": "array", "items": {"type": "string"}}}}
    violation = compiled(schema).find_violation('{"tags": ["a", 1]}')
    assert str(violation) == "`type` at $.tags[1]"
    assert str(compiled(schema).find_violation("{")) == "`JSON` at $"
    assert str(compiled(schema).find_violation("NaN")) == "`JSON` at $"


def test_an_object_has_the_listed_properties_in_their_order() -> None:
    schema = {
        "properties": {"a": {"const": 1}, "b": {"const": 2}},
        "required": ["a", "b"],
        "propertyOrdering": ["b", "a"],
    }
    assert set(drawn(compiled(schema | {"type": "object"}))) == {'{"b": 2, "a": 1}'}


def test_parts_of_an_object_that_are_joined_leave_room_for_each_other() -> None:
    def part(name: str) -> dict[str, Any]:
        return {"type": "object", "properties": {name: {"const": 1}}, "required": [name]}

    references = [{"$ref": f"#/$defs/{name}"} for name in "ab"]
    for options in ([part("a"), part("b")], references):
        schema = {"allOf": options, "$defs": {name: part(name) for name in "ab"}}
        assert {"a", "b"} <= json.loads(sample_answer(compiled(schema))).keys()


def test_a_grammar_of_too_many_states_is_refused_by_its_bound() -> None:
    schema = {"type": "object", "properties": {f"p{n}": {"enum": [n]} for n in range(200)}}
    compiled(schema)
    with pytest.raises(SchemaFault, match="schema_states_max = 100"):
        compile_schema(schema, "schema", SchemaBounds(states_max=100))


def test_an_integer_on_which_readers_do_not_agree_is_no_answer() -> None:
    structure = compiled({"type": "integer"})
    assert structure.find_violation(str(2**63 - 1)) is None
    assert structure.find_violation(str(2**70)) is None
    assert str(structure.find_violation("1" + "0" * 308)) == "`JSON` at $"


def test_an_object_with_a_name_twice_is_no_answer() -> None:
    structure = compiled({"additionalProperties": {"type": "integer"}})
    assert structure.find_violation('{"a": 1, "b": 1}') is None
    assert str(structure.find_violation('{"a": "x", "a": 1}')) == "`JSON` at $"
    assert str(structure.find_violation('[{"a": {"b": 1, "b": 1}}]')) == "`JSON` at $"


def test_options_of_engines_in_a_schema_go_nowhere() -> None:
    schema = {
        "x-guidance": {"whitespace_flexible": True, "item_separator": "X"},
        "type": "array",
        "items": {"const": 1, "x-guidance": {"lenient": False}},
        "minItems": 2,
        "maxItems": 2,
    }
    structure = compiled(schema)
    assert "x-guidance" not in json.dumps(structure.json_schema)
    assert set(drawn(structure)) == {"[1, 1]"}
