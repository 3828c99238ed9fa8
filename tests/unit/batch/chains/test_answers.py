"""A line can have parts of another one's result."""

import json
from typing import Any

import pytest

from toplu.batch.chains.answers import Answer

DATA = {"name": "Ann", "items": [1, {"x": True}], "none": None}


def result(text: str, **candidate: Any) -> bytes:
    parts = [{"text": "hm", "thought": True}, {"text": text[:3]}, {"text": text[3:]}]
    candidate = {"content": {"parts": parts, "role": "model"}, "finishReason": "STOP"} | candidate
    return json.dumps({"response": {"candidates": [candidate]}, "key": "a"}).encode()


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("text", json.dumps(DATA)),
        ("finishReason", "STOP"),
        ("json", '{"name":"Ann","items":[1,{"x":true}],"none":null}'),
        ("json.name", "Ann"),
        ("json.items", '[1,{"x":true}]'),
        ("json.items.1.x", "true"),
        ("json.none", "null"),
        ("json.items.2", None),
        ("json.items.-1", None),
        ("json.items.99999999999999999999", None),
        ("json.name.x", None),
        ("json.other", None),
        ("text.x", None),
        ("other", None),
    ],
)
def test_an_answer_has_parts(field: str, expected: str | None) -> None:
    assert Answer(result(json.dumps(DATA))).find(field) == expected


def test_a_text_that_is_no_json_has_no_parts() -> None:
    answer = Answer(result("plain"))
    assert (answer.find("text"), answer.find("json"), answer.find("json.a")) == (
        "plain",
        None,
        None,
    )


def test_an_error_has_failed_and_has_nothing() -> None:
    failed = Answer(b'{"error":{"code":13,"message":"no"},"key":"a"}')
    assert (failed.has_failed, failed.find("text")) == (True, None)


@pytest.mark.parametrize(
    "line", [b'{"response":{"candidates":[]}}', b'{"response":{"candidates":5}}']
)
def test_a_response_without_candidates_is_none_that_failed(line: bytes) -> None:
    answer = Answer(line)
    assert (answer.has_failed, answer.find("text")) == (False, None)
