"""Chat completions through OpenAI's SDK: answers, streams, tools, schemas, log-probabilities."""

import json
from typing import Any

import httpx2 as httpx
import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import BaseModel

from support.api.openai_calls import CHAT_MODEL, strictly, user

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "minLength": 1}},
            "required": ["city"],
        },
    },
}
TIME = {"type": "function", "function": {"name": "time"}}


class City(BaseModel):
    name: str
    big: bool


def test_an_answer_has_what_the_sdk_reads_and_in_its_types(http: httpx.Client) -> None:
    body = {"model": CHAT_MODEL, "messages": user("one two three"), "temperature": 0}
    reply = http.post("/chat/completions", json=body)
    assert reply.status_code == 200, reply.text
    answer = strictly(ChatCompletion, reply.json())
    (choice,) = answer.choices
    assert (choice.message.content, choice.finish_reason) == ("one two three", "stop")
    assert answer.model == CHAT_MODEL
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (3, 3)
    assert answer.usage.total_tokens == 6


def test_system_messages_instruct_wherever_they_stand(sdk: Any) -> None:
    messages = [
        {"role": "system", "content": "be nice"},
        {"role": "user", "content": [{"type": "text", "text": "one two"}]},
        {"role": "assistant", "content": "three"},
        {"role": "developer", "content": "and short"},
        {"role": "user", "content": "four"},
    ]
    answer = sdk.chat.completions.create(model=CHAT_MODEL, messages=messages)
    assert answer.choices[0].message.content == "four"
    assert answer.usage.prompt_tokens == 8


def test_several_answers_and_a_limit(sdk: Any) -> None:
    answer = sdk.chat.completions.create(
        model=CHAT_MODEL, messages=user("one two three"), n=2, max_completion_tokens=2
    )
    assert [choice.index for choice in answer.choices] == [0, 1]
    assert {choice.message.content for choice in answer.choices} == {"one two"}
    assert {choice.finish_reason for choice in answer.choices} == {"length"}


def test_a_stream_gives_the_role_first_the_reason_last_and_then_the_usage(
    http: httpx.Client,
) -> None:
    body = {
        "model": CHAT_MODEL,
        "messages": user("one two three"),
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    reply = http.post("/chat/completions", json=body)
    assert reply.headers["content-type"].startswith("text/event-stream")
    *events, done, rest = reply.text.split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    chunks = [
        strictly(ChatCompletionChunk, json.loads(event.removeprefix("data: "))) for event in events
    ]
    *said, counted = chunks
    assert said[0].choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in said) == "one two three"
    assert [chunk.choices[0].finish_reason for chunk in said][-1] == "stop"
    assert {chunk.usage for chunk in said} == {None}
    assert counted.choices == []
    assert counted.usage is not None
    assert counted.usage.total_tokens == 6
    assert len({chunk.id for chunk in chunks}) == 1


def test_the_sdk_streams_two_answers_at_once(sdk: Any) -> None:
    stream = sdk.chat.completions.create(
        model=CHAT_MODEL, messages=user("one two three"), stream=True, n=2
    )
    texts = {0: "", 1: ""}
    for chunk in stream:
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    assert texts == {0: "one two three", 1: "one two three"}


def test_a_function_is_called_and_its_result_is_understood(sdk: Any) -> None:
    asked: dict[str, Any] = {"model": CHAT_MODEL, "tools": [WEATHER, TIME]}
    answer = sdk.chat.completions.create(
        **asked,
        messages=user("x"),
        tool_choice={"type": "function", "function": {"name": "weather"}},
    )
    (choice,) = answer.choices
    (call,) = choice.message.tool_calls
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", None)
    assert call.function.name == "weather"
    assert json.loads(call.function.arguments)["city"]
    messages = [
        *user("x"),
        choice.message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": "20 degrees"},
    ]
    after = sdk.chat.completions.create(**asked, messages=messages, tool_choice="none")
    assert after.choices[0].finish_reason == "stop"
    assert "20 degrees" in after.choices[0].message.content


def test_a_call_is_streamed_whole(sdk: Any) -> None:
    stream = sdk.chat.completions.create(
        model=CHAT_MODEL, messages=user("x"), tools=[WEATHER], tool_choice="required", stream=True
    )
    chunks = [chunk.choices[0] for chunk in stream]
    (call,) = [call for choice in chunks for call in choice.delta.tool_calls or []]
    assert (call.index, call.function.name) == (0, "weather")
    assert json.loads(call.function.arguments)["city"]
    assert chunks[-1].finish_reason == "tool_calls"


def test_tools_that_are_not_allowed_are_not_shown(sdk: Any) -> None:
    allowed = {
        "type": "allowed_tools",
        "allowed_tools": {
            "mode": "required",
            "tools": [{"type": "function", "function": {"name": "time"}}],
        },
    }
    answer = sdk.chat.completions.create(
        model=CHAT_MODEL, messages=user("x"), tools=[WEATHER, TIME], tool_choice=allowed
    )
    assert answer.choices[0].message.tool_calls[0].function.name == "time"


def test_the_sdk_parses_an_answer_that_keeps_to_its_type(sdk: Any) -> None:
    answer = sdk.chat.completions.parse(model=CHAT_MODEL, messages=user("x"), response_format=City)
    assert isinstance(answer.choices[0].message.parsed, City)


def test_any_json_object_will_do_where_no_schema_is_given(sdk: Any) -> None:
    answer = sdk.chat.completions.create(
        model=CHAT_MODEL, messages=user("x"), response_format={"type": "json_object"}
    )
    json.loads(answer.choices[0].message.content)


def test_log_probabilities_stand_beside_each_token(http: httpx.Client) -> None:
    body = {
        "model": CHAT_MODEL,
        "messages": user("one two"),
        "logprobs": True,
        "top_logprobs": 1,
    }
    answer = strictly(ChatCompletion, http.post("/chat/completions", json=body).json())
    logprobs = answer.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    assert "".join(each.token for each in logprobs.content) == "one two"
    assert all(len(each.top_logprobs) == 1 for each in logprobs.content)


@pytest.mark.parametrize(
    ("fields", "status", "param", "code"),
    [
        ({"model": "nobody"}, 404, "model", "model_not_found"),
        ({"model": "gemini-embedding-001"}, 404, "model", "model_not_found"),
        ({"messages": []}, 400, "messages", None),
        ({"messages": [{"role": "who", "content": "x"}]}, 400, "messages[0].role", "invalid_value"),
        ({"messages": [{"role": "user"}]}, 400, "messages[0].content", None),
        (
            {"messages": [{"role": "tool", "tool_call_id": "c", "content": "x"}]},
            400,
            "messages[0].tool_call_id",
            None,
        ),
        ({"temperature": 9}, 400, "temperature", None),
        ({"n": 99}, 400, "n", None),
        ({"max_tokens": 0}, 400, "max_completion_tokens", None),
        ({"top_logprobs": 2}, 400, "top_logprobs", None),
        ({"logit_bias": {"5": 1}}, 400, "logit_bias", "unsupported_parameter"),
        ({"modalities": ["text", "audio"]}, 400, "modalities", "unsupported_parameter"),
        ({"web_search_options": {}}, 400, "web_search_options", "unsupported_parameter"),
        ({"functions": []}, 400, "functions", "unsupported_parameter"),
        ({"tools": [{"type": "custom"}]}, 400, "tools[0].type", "unsupported_parameter"),
        ({"tool_choice": "required"}, 400, "tool_choice", None),
        (
            {"response_format": {"type": "json_schema"}},
            400,
            "response_format.json_schema",
            None,
        ),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "x", "schema": {"type": "nothing"}},
                }
            },
            400,
            "response_format.json_schema.schema",
            None,
        ),
    ],
)
def test_what_is_wrong_is_named(
    http: httpx.Client, fields: dict[str, Any], status: int, param: str, code: str | None
) -> None:
    body = {"model": CHAT_MODEL, "messages": user("x")} | fields
    reply = http.post("/chat/completions", json=body)
    error = reply.json()["error"]
    assert (reply.status_code, error["param"], error["code"]) == (status, param, code)
    assert error["type"] == "invalid_request_error"
    assert error["message"]


def test_fields_that_nobody_here_knows_pass(sdk: Any) -> None:
    answer = sdk.chat.completions.create(
        model=CHAT_MODEL,
        messages=user("x"),
        user="somebody",
        store=False,
        metadata={"run": "1"},
        extra_body={"repetition_penalty": 1.1},
    )
    assert answer.choices[0].message.content == "x"


def test_what_fails_in_the_engine_is_the_servers_error(sdk: Any) -> None:
    with pytest.raises(openai.InternalServerError, match="fails on this request"):
        sdk.chat.completions.create(model=CHAT_MODEL, messages=user("please fail"))
