"""Functions on the echo engine: it calls those that the text names, with the smallest arguments."""

import json
from typing import Any

import httpx2 as httpx
import pytest
from google import genai
from google.genai import types

from support.api.batch_calls import (
    asking,
    create_from_file,
    create_inline,
    finish,
    result_lines,
    upload_lines,
)
from support.api.function_calls import (
    OF_PING,
    OF_TIME,
    OF_WEATHER,
    PING,
    TIME,
    TOOLS,
    WEATHER,
    calling,
)
from support.api.local_server import LocalServer
from support.api.stream_calls import events_of

FLASH = "gemini-2.5-flash"
GENERATE = f"/v1beta/models/{FLASH}:generateContent"
STREAM = f"/v1beta/models/{FLASH}:streamGenerateContent?alt=sse"
COUNT = f"/v1beta/models/{FLASH}:countTokens"


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
def server(shared_server: LocalServer) -> LocalServer:
    return shared_server


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


FUNCTION = "tools[0].function_declarations[0]"

# What is wrong, and what is said of it.
REFUSALS: list[tuple[dict[str, Any], str]] = [
    (calling("x", tools=[{"functionDeclarations": [{"name": "1"}]}]), f"{FUNCTION}.name: "),
    (
        calling(
            "x", tools=[{"functionDeclarations": [TIME | {"parameters": WEATHER["parameters"]}]}]
        ),
        f"{FUNCTION}.parameters_json_schema: ",
    ),
    (calling("x", "ANY", "nothing"), "allowed_function_names[0]: "),
    (calling("x", "AUTO", "get_time"), "allowed_function_names: "),
    (calling("x", "ANY", tools=[]), "Function calling config is set without"),
    (calling("x", generationConfig={"responseMimeType": "application/json"}), "is unsupported"),
    (calling("x", tools=[*TOOLS, {"googleSearch": {}}]), "tools[2]: Tool use with function"),
    (calling("x", contents=answering([CALL], [])[:2]), "function response parts is equal"),
    (calling("x", contents=answering([CALL], [RESULT, RESULT])), "immediately after a function"),
]
UNSERVED: list[tuple[dict[str, Any], str]] = [
    (calling("x", tools=[*TOOLS, {"codeExecution": {}}]), "tools[2].codeExecution is not served"),
    (calling("x", tools=[*TOOLS, {"urlContext": {}}]), "tools[2].urlContext is not served"),
    (
        calling("x", tools=[{"functionDeclarations": [PING | {"behavior": "NON_BLOCKING"}]}]),
        "tools[0].functionDeclarations[0].behavior is not served",
    ),
    (
        calling("x", contents=answering([CALL], [RESULT | {"willContinue": True}])),
        "contents[2].parts[0].functionResponse.willContinue is not served",
    ),
    (
        calling("x", contents=answering([CALL], [RESULT | {"scheduling": "SILENT"}])),
        "contents[2].parts[0].functionResponse.scheduling is not served",
    ),
]


@pytest.mark.parametrize(("request_", "message"), REFUSALS)
def test_faults_of_functions_are_named(
    http: httpx.Client, request_: dict[str, Any], message: str
) -> None:
    reply = http.post(GENERATE, json=request_)
    assert (reply.status_code, reply.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert message in reply.json()["error"]["message"]


@pytest.mark.parametrize(("request_", "message"), UNSERVED)
def test_what_is_not_served_of_functions_is_named(
    http: httpx.Client, request_: dict[str, Any], message: str
) -> None:
    reply = http.post(GENERATE, json=request_)
    assert (reply.status_code, reply.json()["error"]["status"]) == (501, "UNIMPLEMENTED")
    assert message in reply.json()["error"]["message"]


def test_a_line_that_is_refused_fails_alone(http: httpx.Client) -> None:
    requests = [request for request, _ in REFUSALS + UNSERVED] + [calling("hello", "ANY")]
    lines = [json.dumps({"request": request}).encode() for request in requests]
    reply = create_from_file(http, upload_lines(http, lines))
    *refused, answered = result_lines(http, finish(http, reply.json()["name"]))
    for result, (_, message) in zip(refused, REFUSALS + UNSERVED, strict=True):
        assert message in result["error"]["message"]
    check(answered["response"], [OF_WEATHER])


def test_functions_count_as_a_part_of_the_prompt(http: httpx.Client) -> None:
    def counted(request: dict[str, Any]) -> int:
        body = {"generateContentRequest": {"model": f"models/{FLASH}"} | request}
        reply = http.post(COUNT, json=body)
        assert reply.status_code == 200, reply.text
        return int(reply.json()["totalTokens"])

    asked = calling("hello", "ANY")
    answer = http.post(GENERATE, json=asked).json()
    assert counted(asked) == answer["usageMetadata"]["promptTokenCount"] > 20
    assert counted(calling("hello", "NONE")) == counted(asking("hello")) == 1
    wrong = {"generateContentRequest": {"model": f"models/{FLASH}"} | REFUSALS[0][0]}
    assert http.post(COUNT, json=wrong).status_code == 400


def test_a_call_that_has_no_room_ends_at_the_limit(http: httpx.Client) -> None:
    asked = calling("hello", "ANY", generationConfig={"maxOutputTokens": 1})
    (candidate,) = http.post(GENERATE, json=asked).json()["candidates"]
    assert candidate["finishReason"] == "MAX_TOKENS"
    assert candidate["content"]["parts"] == [{"text": ""}]


def test_the_sdk_calls_a_function_and_tells_what_it_gave(client: genai.Client) -> None:
    asked: list[tuple[str, int]] = []

    def get_weather(city: str, days: int) -> dict[str, str]:
        """Tells the weather of a city.

        Args:
            city: Its name.
            days: How many to look ahead.
        """
        asked.append((city, days))
        return {"sky": "blue"}

    config = types.GenerateContentConfig(tools=[get_weather])
    reply = client.models.generate_content(
        model=FLASH, contents="get_weather, please", config=config
    )
    assert asked == [("", 0)]
    assert reply.text == '{"result": {"sky": "blue"}}'
    assert reply.automatic_function_calling_history is not None
    (_, call, result) = reply.automatic_function_calling_history
    assert call.parts[0].function_call.name == result.parts[0].function_response.name


def test_a_chat_of_the_sdk_goes_on_after_a_call_that_it_streamed(client: genai.Client) -> None:
    declaration = types.FunctionDeclaration(name="get_time")
    config = types.GenerateContentConfig(tools=[types.Tool(function_declarations=[declaration])])
    chat = client.chats.create(model=FLASH, config=config)
    chunks = list(chat.send_message_stream("Call get_time for me."))
    (call,) = [call for chunk in chunks for call in chunk.function_calls or []]
    assert (call.name, call.args) == ("get_time", {})
    response = types.FunctionResponse(id=call.id, name=call.name, response={"time": "noon"})
    reply = chat.send_message(types.Part(function_response=response))
    assert reply.text == '{"time": "noon"}'
    assert chat.send_message("And now?").text == "And now?"
