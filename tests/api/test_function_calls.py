"""Functions on the echo engine: it calls those that the text names, with the smallest arguments."""

import json
from typing import Any

import httpx2 as httpx
import pytest
from batch_calls import (
    asking,
    create_from_file,
    create_inline,
    finish,
    result_lines,
    upload_lines,
)
from google.genai import types
from house import RunningHouse
from stream_calls import events_of

FLASH = "gemini-2.5-flash"
GENERATE = f"/v1beta/models/{FLASH}:generateContent"
STREAM = f"/v1beta/models/{FLASH}:streamGenerateContent?alt=sse"
COUNT = f"/v1beta/models/{FLASH}:countTokens"

CITY = {"type": "STRING", "minLength": "1"}
WEATHER = {
    "name": "get_weather",
    "description": "Tells the weather of a city.",
    "parameters": {
        "type": "OBJECT",
        "properties": {"days": {"type": "INTEGER", "minimum": 2}, "first_city": CITY},
        "required": ["first_city", "days"],
        "propertyOrdering": ["first_city", "days"],
    },
}
TIME = {
    "name": "get_time",
    "parametersJsonSchema": {
        "$defs": {"zone": {"enum": ["UTC", "CET"]}},
        "type": "object",
        "properties": {"zone": {"$ref": "#/$defs/zone"}},
        "required": ["zone"],
    },
}
PING = {"name": "ping.all"}
TOOLS = [{"functionDeclarations": [WEATHER, TIME]}, {"function_declarations": [PING]}]

OF_WEATHER = ("get_weather", {"first_city": "a", "days": 2})
OF_TIME = ("get_time", {"zone": "UTC"})
OF_PING = ("ping.all", {})


def calling(text: str, mode: str | None = None, *allowed: str, **fields: Any) -> dict[str, Any]:
    config = {"mode": mode} | ({"allowedFunctionNames": allowed} if allowed else {})
    chosen = {} if mode is None else {"toolConfig": {"functionCallingConfig": config}}
    return asking(text) | {"tools": TOOLS} | chosen | fields


def answering(
    calls: list[dict[str, Any]], results: list[dict[str, Any]], *, role: str = "user"
) -> list[dict[str, Any]]:
    """Return a conversation in which functions were called and have answered."""
    return [
        {"role": "user", "parts": [{"text": "get_time, please."}]},
        {"role": "model", "parts": [{"functionCall": call} for call in calls]},
        {"role": role, "parts": [{"functionResponse": result} for result in results]},
    ]


CALL = {"name": "get_time", "args": {"zone": "UTC"}}
RESULT = {"name": "get_time", "response": {"time_now": "12:00"}}
SNAKE = {"function_calling_config": {"mode": "any", "allowed_function_names": ["get_time"]}}

# What is asked, and what is answered: text, or calls.
ANSWERS: list[tuple[dict[str, Any], Any]] = [
    (calling("hello"), "hello"),
    (calling("hello", "AUTO"), "hello"),
    (calling("hello", "VALIDATED"), "hello"),
    (calling("hello", "ANY"), [OF_WEATHER]),
    (calling("hello", "ANY", "get_time"), [OF_TIME]),
    (asking("hello") | {"tools": TOOLS, "toolConfig": SNAKE}, [OF_TIME]),
    (calling("ping.all, get_weather"), [OF_WEATHER, OF_PING]),
    (calling("ping.all, get_weather", "VALIDATED", "ping.all"), [OF_PING]),
    (calling("get_time", "NONE"), "get_time"),
    (calling("-", contents=answering([CALL], [RESULT])), '{"time_now": "12:00"}'),
    (calling("-", contents=answering([CALL], [RESULT], role="function")), '{"time_now": "12:00"}'),
    (calling("-", contents=answering([CALL], [RESULT], role="tool")), '{"time_now": "12:00"}'),
    (calling("-", "ANY", contents=answering([CALL], [RESULT])), [OF_WEATHER]),
    (asking("-") | {"contents": answering([CALL], [RESULT])}, '{"time_now": "12:00"}'),
]


@pytest.fixture(scope="module")
def house(shared_house: RunningHouse) -> RunningHouse:
    return shared_house


def check(response: dict[str, Any], expected: Any) -> None:
    """Check that a response has the text, or the calls, each with an id of its own."""
    types.GenerateContentResponse.model_validate(response)
    (candidate,) = response["candidates"]
    assert candidate["finishReason"] == "STOP"
    parts = candidate["content"]["parts"]
    if isinstance(expected, str):
        assert parts == [{"text": expected}]
        return
    assert all(part.keys() == {"functionCall"} for part in parts)
    calls = [part["functionCall"] for part in parts]
    assert [(call["name"], call["args"]) for call in calls] == expected
    assert len({call["id"] for call in calls}) == len(calls)
    assert all(call["id"] for call in calls)


@pytest.mark.parametrize(("request_", "expected"), ANSWERS)
def test_an_answer_has_the_calls_that_were_asked_for(
    http: httpx.Client, request_: dict[str, Any], expected: Any
) -> None:
    reply = http.post(GENERATE, json=request_)
    assert reply.status_code == 200, reply.text
    check(reply.json(), expected)


@pytest.mark.parametrize(("request_", "expected"), ANSWERS)
def test_a_streamed_call_comes_as_one_part(
    http: httpx.Client, request_: dict[str, Any], expected: Any
) -> None:
    reply = http.post(STREAM, json=request_)
    assert reply.status_code == 200, reply.text
    *chunks, last = events_of(reply.text)
    said = [part for chunk in chunks for part in chunk["candidates"][0]["content"]["parts"]]
    assert all(part.keys() == {"text"} for part in said)
    if isinstance(expected, str):
        rest = last["candidates"][0]["content"]["parts"]
        assert "".join(part["text"] for part in [*said, *rest]) == expected
        assert last["candidates"][0]["finishReason"] == "STOP"
    else:
        assert said == []
        check(last, expected)


@pytest.mark.parametrize("as_file", [False, True])
def test_a_line_of_a_batch_has_the_calls_that_were_asked_for(
    http: httpx.Client, as_file: bool
) -> None:
    if as_file:
        lines = [json.dumps({"key": "k", "request": request}).encode() for request, _ in ANSWERS]
        reply = create_from_file(http, upload_lines(http, lines))
        results = result_lines(http, finish(http, reply.json()["name"]))
    else:
        created = create_inline(http, [{"request": request} for request, _ in ANSWERS])
        done = finish(http, created["name"])
        results = done["response"]["inlinedResponses"]["inlinedResponses"]
    for result, (_, expected) in zip(results, ANSWERS, strict=True):
        check(result["response"], expected)
