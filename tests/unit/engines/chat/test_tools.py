"""Functions in OpenAI's words: the tools in a request, and the calls in an answer."""

import json
from typing import Any

import msgspec
import pytest

from toplu.engines.chat.tools import (
    CalledFunction,
    CallParts,
    ToolCall,
    write_dialogue,
    write_tools,
)
from toplu.engines.generation import Completion
from toplu.engines.prompt import Prompt
from toplu.engines.translation.prompt import read_prompt
from toplu.settings.model import ModelSettings
from toplu.wire.gemini.content import GenerateContentRequest

MODEL = ModelSettings(name="echo", engine="echo")
WEATHER = {
    "name": "get_weather",
    "description": "Tells the weather.",
    "parameters": {
        "type": "OBJECT",
        "properties": {"city": {"type": "STRING"}, "days": {"type": "INTEGER", "maximum": 7}},
        "required": ["city"],
    },
}
TIME = {"name": "get_time", "description": "Tells the time."}
SAID = Completion(text="", tokens=9, hit_token_limit=False)


def prompt_of(contents: list[dict[str, Any]] | None = None, **function_calling: Any) -> Prompt:
    body = {
        "contents": contents or [{"role": "user", "parts": [{"text": "Is it warm in Ankara?"}]}],
        "tools": [{"functionDeclarations": [WEATHER, TIME]}],
        "toolConfig": {"functionCallingConfig": function_calling},
    }
    return read_prompt(msgspec.convert(body, GenerateContentRequest), MODEL)


def call(index: int | None, name: str | None, arguments: str | None, *, id: str | None = None):  # noqa: A002
    return ToolCall(index=index, id=id, function=CalledFunction(name=name, arguments=arguments))


def completed(*calls: ToolCall, completion: Completion = SAID, **function_calling: Any):
    functions = prompt_of(**function_calling).functions
    assert functions is not None
    parts = CallParts()
    for each in calls:
        parts.add([each])
    return parts.completed(completion, functions)


@pytest.mark.parametrize(("mode", "choice"), [("AUTO", "auto"), ("ANY", "required")])
def test_a_server_gets_each_function_and_whether_it_must_call(mode: str, choice: str) -> None:
    functions = prompt_of(mode=mode).functions
    assert functions is not None
    told = write_tools(functions)
    assert told["tool_choice"] == choice
    weather, time = (tool["function"] for tool in told["tools"])
    assert (weather["name"], weather["description"]) == ("get_weather", "Tells the weather.")
    assert weather["parameters"]["properties"]["days"] == {"type": "integer", "maximum": 7}
    assert time["parameters"]["type"] == "object"


def test_a_server_does_not_get_what_may_not_be_called() -> None:
    functions = prompt_of(mode="ANY", allowedFunctionNames=["get_time"]).functions
    assert functions is not None
    assert [tool["function"]["name"] for tool in write_tools(functions)["tools"]] == ["get_time"]


def test_calls_come_in_pieces_and_side_by_side() -> None:
    answer = completed(
        call(0, "get_weather", "", id="call-1"),
        call(0, None, '{"city": "An'),
        call(1, "get_time", "{}", id="call-2"),
        call(0, None, 'kara", "days": 3}'),
    )
    assert not answer.broken_call
    assert [(each.id, each.name, each.arguments) for each in answer.calls] == [
        ("call-1", "get_weather", {"city": "Ankara", "days": 3}),
        ("call-2", "get_time", {}),
    ]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("get_weather", "[]"),
        ("get_weather", '{"city": "An'),
        ("launch", "{}"),
    ],
)
def test_a_call_that_may_not_be_made_is_broken_and_ends_the_calls(
    name: str, arguments: str
) -> None:
    answer = completed(call(0, "get_time", "{}"), call(1, name, arguments), call(2, "get_time", ""))
    assert answer.broken_call
    assert [each.name for each in answer.calls] == ["get_time"]


def test_text_instead_of_a_call_is_broken_only_where_a_call_was_asked_for() -> None:
    assert completed(mode="ANY").broken_call
    assert not completed(mode="AUTO").broken_call


def test_a_call_cut_off_by_the_limit_is_no_fault_of_the_model() -> None:
    cut = Completion(text="", tokens=9, hit_token_limit=True)
    answer = completed(call(0, "get_weather", '{"city": "An'), completion=cut)
    assert (answer.calls, answer.broken_call) == ((), False)


def test_a_history_pairs_calls_with_their_results() -> None:
    contents = [
        {"role": "user", "parts": [{"text": "Is it warm in Ankara, and how late is it?"}]},
        {
            "role": "model",
            "parts": [
                {"functionCall": {"name": "get_weather", "args": {"city": "Ankara"}}},
                {"functionCall": {"name": "get_time", "args": {}}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"name": "get_weather", "response": {"celsius": 31}}},
                {"functionResponse": {"name": "get_time", "response": {"time": "ö"}}},
                {"text": "Answer briefly."},
            ],
        },
    ]
    asked, calling, weather, time, more = write_dialogue(prompt_of(contents).turns)
    assert asked["role"] == "user"
    first, second = calling["tool_calls"]
    assert json.loads(first["function"]["arguments"]) == {"city": "Ankara"}
    assert second["function"]["name"] == "get_time"
    assert weather == {"role": "tool", "tool_call_id": first["id"], "content": '{"celsius": 31}'}
    assert time == {"role": "tool", "tool_call_id": second["id"], "content": '{"time": "ö"}'}
    assert (more["role"], more["content"]) == ("user", "Answer briefly.")
