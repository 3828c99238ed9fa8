"""Results as cells."""

import msgspec
import pytest

from toplu.oneshot.rows.answers import Result, TextAnswers, VectorAnswers
from toplu.oneshot.rows.schema_fields import AnswerSchema

SCHEMA = AnswerSchema(
    {
        "type": "object",
        "properties": {
            "name": {"type": ["string", "null"]},
            "age": {"type": "integer"},
            "tags": {"type": "array"},
        },
    }
)


def result(text: str, reason: str = "STOP", **candidate: object) -> Result:
    parts = [{"text": "hm", "thought": True}, {"text": text[:2]}, {"text": text[2:]}]
    return msgspec.convert(
        {
            "line": 1,
            "response": {
                "candidates": [
                    {"content": {"parts": parts}, "finishReason": reason, "index": 0, **candidate}
                ],
                "usageMetadata": {
                    "promptTokenCount": 5,
                    "candidatesTokenCount": 3,
                    "thoughtsTokenCount": 2,
                    "totalTokenCount": 10,
                },
            },
        },
        Result,
    )


def failed(code: int, message: str) -> Result:
    return msgspec.convert({"line": 1, "error": {"code": code, "message": message}}, Result)


def test_an_answer_in_words_is_its_text_without_thoughts() -> None:
    form = TextAnswers()
    assert [column.name for column in form.columns] == [
        "answer",
        "error",
        "finish_reason",
        "prompt_tokens",
        "output_tokens",
    ]
    assert form.cells(result("Hello")) == ["Hello", None, "STOP", 5, 5]
    assert form.cells(result("Hel", "MAX_TOKENS")) == ["Hel", None, "MAX_TOKENS", 5, 5]


def test_an_answer_of_no_words_is_an_error() -> None:
    form = TextAnswers()
    assert form.cells(result(""))[:2] == [None, "STOP: the answer is empty"]
    told = form.cells(result("", "OTHER", finishMessage="why"))
    assert told[:3] == [None, "OTHER: why", "OTHER"]
    assert form.cells(failed(8, "full"))[:3] == [None, "RESOURCE_EXHAUSTED: full", None]
    assert form.cells(failed(99, "odd"))[1] == "99: odd"


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ('{"name": "Ann", "age": 3, "tags": [1]}', ["Ann", 3, [1], None]),
        ('{"name": null, "age": 3.0}', [None, 3, None, None]),
        ('{"age": "3"}', [None, None, None, "age is no integer that fits its column"]),
        ('{"age": 9223372036854775808}', [None] * 3 + ["age is no integer that fits its column"]),
        ('{"age": 1e999}', [None] * 3 + ["cannot convert float infinity to integer"]),
        ("[1]", [None] * 3 + ["the answer is no JSON object"]),
    ],
)
def test_the_fields_of_an_answer_are_cells(text: str, cells: list[object]) -> None:
    assert TextAnswers(SCHEMA).cells(result(text))[:4] == cells


def test_an_answer_that_breaks_off_says_so() -> None:
    found = TextAnswers(SCHEMA).cells(result('{"name": "A', "MAX_TOKENS"))
    assert found[:5] == [None, None, None, "MAX_TOKENS: the answer breaks off", "MAX_TOKENS"]


def test_a_schema_without_fields_has_its_answer_whole() -> None:
    form = TextAnswers(AnswerSchema({"type": "array", "items": {"type": "integer"}}))
    assert form.cells(result("[1, 2]"))[:2] == ["[1, 2]", None]


def test_a_vector_is_a_cell() -> None:
    response = {"embedding": {"values": [0.5, 1]}, "usageMetadata": {"promptTokenCount": 4}}
    found = msgspec.convert({"line": 1, "response": response}, Result)
    assert VectorAnswers().cells(found) == [[0.5, 1.0], None, 4]
    assert VectorAnswers().cells(failed(3, "bad")) == [None, "INVALID_ARGUMENT: bad", None]


def test_schemas_in_the_spelling_of_the_gemini_api_are_sent_as_such() -> None:
    schema = AnswerSchema({"type": "OBJECT", "properties": {"a": {"type": "INTEGER"}}})
    assert (schema.field, schema.columns[0].kind.value) == ("responseSchema", "integer")
    assert SCHEMA.field == "responseJsonSchema"
