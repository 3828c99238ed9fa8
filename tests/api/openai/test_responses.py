"""Responses through OpenAI's SDK: the answer, its events, functions, schemas and batches."""

import json
from typing import Any

import httpx2 as httpx
import pytest
from openai.types.responses import Response
from pydantic import BaseModel

from support.api.openai_batches import a_line, create, finish, lines_of
from support.api.openai_calls import CHAT_MODEL, strictly

RESPONSES = "/v1/responses"
WEATHER = {
    "type": "function",
    "name": "weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string", "minLength": 1}},
        "required": ["city"],
    },
    "strict": True,
}


class City(BaseModel):
    name: str
    big: bool


def test_a_response_has_what_the_sdk_reads_and_in_its_types(http: httpx.Client) -> None:
    body = {"model": CHAT_MODEL, "input": "one two three", "instructions": "be nice"}
    reply = http.post("/responses", json=body)
    assert reply.status_code == 200, reply.text
    answer = strictly(Response, reply.json())
    assert (answer.status, answer.output_text) == ("completed", "one two three")
    assert answer.instructions == "be nice"
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (5, 3)


def test_what_is_cut_off_is_incomplete(sdk: Any) -> None:
    answer = sdk.responses.create(model=CHAT_MODEL, input="one two three", max_output_tokens=2)
    assert (answer.status, answer.output_text) == ("incomplete", "one two")
    assert answer.incomplete_details.reason == "max_output_tokens"


def test_items_are_the_turns_of_a_conversation(sdk: Any) -> None:
    items = [
        {"role": "developer", "content": "be nice"},
        {"role": "user", "content": [{"type": "input_text", "text": "one"}]},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "two", "annotations": []}],
        },
        {"role": "user", "content": "three"},
    ]
    answer = sdk.responses.create(model=CHAT_MODEL, input=items)
    assert answer.output_text == "three"
    assert answer.usage.input_tokens == 5


def test_a_function_is_called_and_its_result_is_understood(sdk: Any) -> None:
    asked: dict[str, Any] = {"model": CHAT_MODEL, "tools": [WEATHER]}
    answer = sdk.responses.create(
        **asked, input="x", tool_choice={"type": "function", "name": "weather"}
    )
    (call,) = answer.output
    assert (call.type, call.name) == ("function_call", "weather")
    assert json.loads(call.arguments)["city"]
    items = [
        {"role": "user", "content": "x"},
        call.model_dump(exclude_none=True),
        {"type": "function_call_output", "call_id": call.call_id, "output": "20 degrees"},
    ]
    after = sdk.responses.create(**asked, input=items, tool_choice="none")
    assert "20 degrees" in after.output_text


def test_the_sdk_parses_a_response_that_keeps_to_its_type(sdk: Any) -> None:
    answer = sdk.responses.parse(model=CHAT_MODEL, input="x", text_format=City)
    assert isinstance(answer.output_parsed, City)


def test_the_sdk_follows_the_events_of_a_text(sdk: Any) -> None:
    with sdk.responses.stream(model=CHAT_MODEL, input="one two three") as stream:
        events = list(stream)
        final = stream.get_final_response()
    kinds = [event.type for event in events]
    assert kinds[:4] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ]
    assert kinds[-1] == "response.completed"
    assert [event.sequence_number for event in events] == list(range(len(events)))
    said = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(said) == final.output_text == "one two three"
    assert final.usage.total_tokens == 6


def test_the_sdk_follows_the_events_of_a_call(sdk: Any) -> None:
    with sdk.responses.stream(
        model=CHAT_MODEL, input="x", tools=[WEATHER], tool_choice="required"
    ) as stream:
        events = list(stream)
        final = stream.get_final_response()
    (call,) = final.output
    assert json.loads(call.arguments)["city"]
    assert "response.function_call_arguments.done" in [event.type for event in events]


def test_events_have_names_and_no_other_end(http: httpx.Client) -> None:
    body = {"model": CHAT_MODEL, "input": "one", "stream": True}
    events = http.post("/responses", json=body).text.split("\n\n")
    assert events.pop() == ""
    for event in events:
        name, data = event.split("\n")
        assert name == f"event: {json.loads(data.removeprefix('data: '))['type']}"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"background": True}, "background"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0]"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_audio"}]}]},
            "input[0].content[0]",
        ),
        ({"input": [{"type": "function_call_output", "call_id": "c", "output": "x"}]}, None),
        ({"temperature": 9}, "temperature"),
    ],
)
def test_what_is_not_served_is_named(
    http: httpx.Client, fields: dict[str, Any], param: str | None
) -> None:
    reply = http.post("/responses", json={"model": CHAT_MODEL, "input": "x"} | fields)
    assert reply.status_code == 400
    assert param in (None, reply.json()["error"]["param"])


def test_lines_of_a_batch_are_responses_too(sdk: Any) -> None:
    body = {"model": CHAT_MODEL, "input": "one two", "tools": [WEATHER], "tool_choice": "none"}
    done = finish(sdk, create(sdk, [a_line("c", RESPONSES, body)], RESPONSES))
    (line,) = lines_of(sdk, done.output_file_id)
    answer = strictly(Response, line["response"]["body"])
    assert (answer.output_text, len(answer.tools)) == ("one two", 1)
