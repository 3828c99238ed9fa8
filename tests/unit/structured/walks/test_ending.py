"""The way out of an answer that is being written, wherever it stands."""

import json
from typing import Any

import jsonschema
import pytest

from support.engines.engines_under_test import structure_of
from toplu.structured.walks.ending import AnswerEnding, smallest_answer

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 2},
        "tags": {"type": "array", "items": {"enum": ["red", "green"]}, "minItems": 1},
        "home": {
            "type": "object",
            "properties": {"zip": {"type": "string", "pattern": "^[0-9]{5}$"}},
            "required": ["zip"],
            "additionalProperties": False,
        },
        "age": {"type": "integer", "minimum": 10},
    },
    "required": ["name", "tags", "home", "age"],
    "additionalProperties": False,
}
WHOLE = (
    '{"name": "Ann \\"\\n\\u001fé B", "tags": ["red", "green"], '
    '"home": {"zip": "12345"}, "age": 41}'
)


def ending_of(schema: Any, begun: str) -> str | None:
    structure = structure_of({"responseMimeType": "application/json", "responseJsonSchema": schema})
    ending = AnswerEnding(structure)
    for character in begun:
        ending.add(character)
    return ending.find()


@pytest.mark.parametrize("length", range(len(WHOLE) + 1))
def test_an_answer_cut_anywhere_is_ended_by_a_valid_one(length: int) -> None:
    ending = ending_of(PERSON, WHOLE[:length])
    assert ending is not None
    jsonschema.validate(json.loads(WHOLE[:length] + ending), PERSON)


def test_a_whole_answer_needs_no_end() -> None:
    assert ending_of(PERSON, WHOLE) == ""


def test_a_string_is_ended_where_it_stands() -> None:
    assert ending_of({"type": "array", "items": {"type": "string"}}, '["one", "tw') == '"]'


def test_what_is_no_such_answer_has_no_way_out() -> None:
    assert ending_of(PERSON, '{"nobody": ') is None


def test_blanks_before_the_answer_are_no_part_of_it() -> None:
    assert ending_of({"type": "array", "items": {"type": "integer"}}, "\n [1") == "]"


def test_the_smallest_answer_is_small() -> None:
    schema = {"enum": ["aaaaaaaaaaaaaaaaaaaaaaaa", "b"]}
    structure = structure_of({"responseMimeType": "application/json", "responseJsonSchema": schema})
    assert smallest_answer(structure) == '"b"'
