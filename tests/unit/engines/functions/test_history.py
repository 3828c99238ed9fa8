"""Calls and results of a history: which belong together, and what is missing."""

import time
from typing import Any

import msgspec
import pytest

from toplu.engines.calls import FunctionCall, FunctionResult
from toplu.engines.prompt import Turn
from toplu.engines.translation.prompt import read_prompt
from toplu.errors import InvalidArgument
from toplu.settings.server import ModelSettings
from toplu.wire.gemini.content import GenerateContentRequest

MODEL = ModelSettings(name="m", engine="echo")


def text(said: str, role: str = "user") -> dict[str, Any]:
    return {"role": role, "parts": [{"text": said}]}


def call(*names: str, **fields: Any) -> dict[str, Any]:
    return {
        "role": "model",
        "parts": [
            {"functionCall": {"name": name, "args": {"of": name}} | fields} for name in names
        ],
    }


def result(*names: str, role: str = "user", **fields: Any) -> dict[str, Any]:
    parts = [
        {"functionResponse": {"name": name, "response": {"of": name}} | fields} for name in names
    ]
    return {"role": role, "parts": parts}


def turns_of(*contents: dict[str, Any]) -> tuple[Turn, ...]:
    request = msgspec.convert({"contents": list(contents)}, GenerateContentRequest)
    return read_prompt(request, MODEL).turns


def called(name: str, identity: str) -> FunctionCall:
    return FunctionCall(name=name, arguments={"of": name}, id=identity)


def gave(name: str, identity: str, of: str | None = None) -> FunctionResult:
    return FunctionResult(name=name, response={"of": of or name}, id=identity)


def test_calls_get_ids_and_results_those_of_their_calls():
    assert turns_of(
        text("a"), call("f", "g"), result("g", "f"), text("b", "model"), text("c"), call("f"),
        result("f"),
    ) == (
        Turn("user", "a"),
        Turn("assistant", "", (called("f", "call-1"), called("g", "call-2"))),
        Turn("user", "", results=(gave("f", "call-1"), gave("g", "call-2"))),
        Turn("assistant", "b"),
        Turn("user", "c"),
        Turn("assistant", "", (called("f", "call-3"),)),
        Turn("user", "", results=(gave("f", "call-3"),)),
    )  # fmt: skip


def test_ids_that_a_client_gives_are_kept_and_tell_calls_of_one_name_apart():
    calls = {
        "role": "model",
        "parts": [{"functionCall": {"name": "f", "id": name}} for name in "xy"],
    }
    results = {
        "role": "user",
        "parts": [
            {"functionResponse": {"name": "f", "id": name, "response": {"of": name}}}
            for name in "yx"
        ],
    }
    (_, _, answers) = turns_of(text("a"), calls, results)
    assert answers.results == (gave("f", "x", of="x"), gave("f", "y", of="y"))


def test_calls_of_one_name_are_answered_in_their_order():
    first, second = {"response": {"of": "1"}}, {"response": {"of": "2"}}
    (_, _, answers) = turns_of(
        text("a"), call("f", "f"), result("f", **first), result("f", **second)
    )
    assert answers.results == (gave("f", "call-1", of="1"), gave("f", "call-2", of="2"))


def test_text_before_calls_and_behind_results_stays_where_it_is():
    results = result("f")
    results["parts"].append({"text": "And now?"})
    assert turns_of(text("a"), text("Let me see.", "model"), call("f"), results)[1:] == (
        Turn("assistant", "Let me see.", (called("f", "call-1"),)),
        Turn("user", "And now?", results=(gave("f", "call-1"),)),
    )


@pytest.mark.parametrize("role", ["user", "function", "tool"])
def test_results_in_turns_of_their_own_are_one_turn(role: str):
    turns = turns_of(
        text("a"), call("f", "g"), result("g", role=role), result("f", role=role), text("b")
    )
    assert turns[2:] == (
        Turn("user", "", results=(gave("f", "call-1"), gave("g", "call-2"))),
        Turn("user", "b"),
    )


TOO_FEW, TOO_MANY = "number of function response parts is equal", "comes immediately after"


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ([text("a"), call("f")], TOO_FEW),
        ([text("a"), call("f"), text("b")], TOO_FEW),
        ([text("a"), call("f", "g"), result("f")], "(g has no response.)"),
        ([text("a"), result("f")], TOO_MANY),
        ([text("a"), call("f"), result("f", "f")], TOO_MANY),
        ([text("a"), call("f"), result("g")], "(g has not been called there.)"),
        ([text("a"), call("f"), result("f"), text("b", "model"), result("f")], TOO_MANY),
        ([call("f") | {"role": "user"}], "parts[0].function_call: cannot stand in a turn of the"),
        ([result("f") | {"role": "model"}], "parts[0].function_response: cannot stand in a turn"),
        ([call("")], "parts[0].function_call.name: Name cannot be empty."),
        ([text("a"), call("f"), result("")], "function_response.name: Name cannot be empty."),
        ([call("f", args={"a": "\ud800"})], "parts[0].function_call: has a value that JSON"),
        ([call("f", args={"a": float("nan")})], "parts[0].function_call: has a value that JSON"),
        ([call("f", id="\ud800")], "parts[0].function_call: has a value that JSON"),
        ([text("a", "function")], "Please use a valid role"),
    ],
)
def test_what_does_not_belong_together_is_refused(contents: list[dict[str, Any]], message: str):
    with pytest.raises(InvalidArgument) as refusal:
        turns_of(*contents)
    assert message in refusal.value.message


def test_an_instruction_calls_nothing():
    fields = {"contents": [text("a")], "systemInstruction": call("f")}
    with pytest.raises(InvalidArgument, match=r"system_instruction\.parts\[0\]\.function_call: "):
        read_prompt(msgspec.convert(fields, GenerateContentRequest), MODEL)


def test_pairing_takes_a_step_for_each_call():
    names = ["f"] * 20_000
    contents = [text("a"), call(*names), result(*names)]
    before = time.process_time()
    (_, _, answers) = turns_of(*contents)
    assert len(answers.results) == len(names)
    # Looking through all calls for each result takes several times as long.
    assert time.process_time() - before < 5
