"""A list of calls: its schema holds each to its function, and whatever comes is read."""

import json
from typing import Any

import jsonschema
import pytest

from support.engines.function_cases import CASES, functions_of
from toplu.engines.calls import CALLS_MAX
from toplu.engines.generation import Completion
from toplu.engines.openai.call_list import list_schema, read_list

TREE = {
    "type": "object",
    "properties": {"root": {"$ref": "#/$defs/a~1b"}, "any": {"enum": [{"$ref": "#/x"}]}},
    "required": ["root"],
    "$defs": {
        "a/b": {
            "type": "object",
            "properties": {"next": {"$ref": "#/$defs/a~1b"}, "name": {"type": "string"}},
        }
    },
}


def listed(*calls: tuple[str, Any]) -> list[dict[str, Any]]:
    return [{"name": name, "arguments": arguments} for name, arguments in calls]


def completion(text: str, *, cut: bool = False) -> Completion:
    return Completion(text=text, tokens=1, hit_token_limit=cut)


def test_each_call_is_held_to_the_arguments_of_its_function() -> None:
    functions = functions_of([case.declaration for case in CASES[:2]])
    schema = jsonschema.Draft202012Validator(list_schema(functions))
    first, second = (case.name for case in CASES[:2])
    right = listed((first, {"city": "Oslo", "unit": "celsius"}))
    assert schema.is_valid(right)
    assert not schema.is_valid([])
    assert not schema.is_valid(right * (CALLS_MAX + 1))
    assert not schema.is_valid(listed((first, {"city": "Oslo", "unit": "kelvin"})))
    assert not schema.is_valid(listed((second, {"city": "Oslo", "unit": "celsius"})))
    assert not schema.is_valid(listed(("other", {})))


def test_references_of_arguments_lead_to_their_own_definitions() -> None:
    other = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    declared = [
        {"name": "g", "parametersJsonSchema": other | {"$defs": {"a/b": {"type": "integer"}}}},
        {"name": "f", "parametersJsonSchema": TREE},
    ]
    written = list_schema(functions_of(declared))
    schema = jsonschema.Draft202012Validator(written)
    assert schema.is_valid(listed(("f", {"root": {"next": {"name": "x"}}})))
    assert not schema.is_valid(listed(("f", {"root": {"next": {"name": 1}}})))
    assert not schema.is_valid(listed(("f", {"root": 7})))
    held = written["$defs"]["arguments1"]
    assert held["properties"]["any"] == {"enum": [{"$ref": "#/x"}]}  # a value
    assert "x-guidance" in written
    assert "x-guidance" not in held


def test_a_list_is_read_whatever_blanks_it_has() -> None:
    text = ' [\n {"name": "f", "arguments": {"a": "]"}} ,{"name": "g", "arguments": {}}\n]\n'
    read = read_list(completion(text))
    assert [(call.name, call.arguments) for call in read.calls] == [("f", {"a": "]"}), ("g", {})]
    assert not read.broken_call
    assert read.text == ""


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("[]", 0),
        ("hello", 0),
        ('{"name": "f", "arguments": {}}', 0),
        ('[{"name": "f", "arguments": 7}]', 0),
        ('[{"name": "f", "arguments": {}}, 7]', 1),
        ('[{"name": "f", "arguments": {}}', 1),
        ('[{"name": "f", "arguments": {}}, {"name"', 1),
        ('[{"name": "f", "arguments": {}}] more', 1),
        ("[" * 100_000, 0),
    ],
)
def test_what_is_no_whole_list_is_broken_after_its_last_call(text: str, count: int) -> None:
    read = read_list(completion(text))
    assert len(read.calls) == count
    assert read.broken_call
    cut = read_list(completion(text, cut=True))
    assert len(cut.calls) == count
    assert not cut.broken_call


def test_the_schema_is_json() -> None:
    for case in CASES:
        json.dumps(list_schema(functions_of([case.declaration])), allow_nan=False)
