import copy
from typing import Any

import pytest

from toplu.errors import InvalidArgument
from toplu.wire.gemini import proto_json
from toplu.wire.gemini.batch import BatchGenerateContentRequest
from toplu.wire.gemini.message import write
from toplu.wire.gemini.misplaced import lift_misplaced

SYSTEM = {"parts": [{"text": "You are a cat."}], "role": "user"}
SIBLINGS = {
    "systemInstruction": SYSTEM,
    "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
    "tools": [{"googleSearch": {}}],
    "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
    "cachedContent": "cachedContents/abc",
}
SNAKE = ("system_instruction", "safety_settings", "tools", "tool_config", "cached_content")
REQUEST = {"contents": [{"parts": [{"text": "q"}], "role": "user"}]}


def batch_of(*entries: Any) -> dict[str, Any]:
    requests = {"requests": copy.deepcopy(list(entries))}
    return {"batch": {"inputConfig": {"requests": requests}}}


def lifted(body: dict[str, Any]) -> list[dict[str, Any]]:
    lift_misplaced(body)
    return body["batch"]["inputConfig"]["requests"]["requests"]


def test_python_1_24_puts_five_fields_beside_the_request():
    (entry,) = lifted(batch_of({"request": REQUEST, **SIBLINGS}))
    assert entry == {"request": REQUEST | SIBLINGS}


def test_javascript_1_16_puts_the_system_instruction_into_the_configuration():
    others = {name: value for name, value in SIBLINGS.items() if name != "systemInstruction"}
    config = {"temperature": 0.5}
    request = REQUEST | {"generationConfig": config | {"systemInstruction": SYSTEM}}
    (entry,) = lifted(batch_of({"request": request, **others}))
    assert entry == {"request": REQUEST | {"generationConfig": config} | SIBLINGS}


def test_either_spelling_is_lifted_from_wherever_it_stands():
    siblings = dict(zip(SNAKE, SIBLINGS.values(), strict=True))
    request = REQUEST | {"generation_config": {"system_instruction": SYSTEM}}
    del siblings["system_instruction"]
    body = {"batch": {"input_config": {"requests": {"requests": {"request": request, **siblings}}}}}
    lift_misplaced(body)
    entry = body["batch"]["input_config"]["requests"]["requests"]
    assert entry == {"request": REQUEST | {"generation_config": {}} | SIBLINGS}


@pytest.mark.parametrize("place", ["request", "config"])
@pytest.mark.parametrize("spelling", ["systemInstruction", "system_instruction"])
def test_a_field_in_two_places_is_refused_by_name(place: str, spelling: str):
    request: dict[str, Any] = REQUEST | (
        {spelling: SYSTEM} if place == "request" else {"generationConfig": {spelling: SYSTEM}}
    )
    with pytest.raises(InvalidArgument) as refusal:
        lift_misplaced(batch_of({"request": REQUEST}, {"request": request, **SIBLINGS}))
    path = "batch.input_config.requests.requests[1]"
    if place == "config":
        path += ".request.generation_config"
    assert refusal.value.details[0]["fieldViolations"][0]["field"] == f"{path}.system_instruction"
    assert f"{path}.system_instruction: " in refusal.value.message


def test_a_null_is_no_field():
    entry = {"request": REQUEST | {"tools": SIBLINGS["tools"]}, "tools": None}
    assert lifted(batch_of(entry)) == [{"request": REQUEST | {"tools": SIBLINGS["tools"]}}]
    entry = {"request": REQUEST | {"tools": None}, "tools": SIBLINGS["tools"]}
    assert lifted(batch_of(entry)) == [{"request": REQUEST | {"tools": SIBLINGS["tools"]}}]


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "text",
        {"batch": []},
        {"batch": {"inputConfig": {"requests": []}}},
        {"batch": {"inputConfig": {"requests": {"requests": [1, None, {}, {"tools": []}]}}}},
        batch_of({"request": [], "tools": []}, {"request": {"generationConfig": 1}}),
    ],
)
def test_what_has_another_shape_is_left_alone(body: Any):
    before = copy.deepcopy(body)
    lift_misplaced(body)
    assert body == before


def test_the_message_is_the_same_wherever_its_fields_stood():
    def read(body: dict[str, Any]) -> BatchGenerateContentRequest:
        return proto_json.read(BatchGenerateContentRequest, write(body), mend=lift_misplaced)

    placed = read(batch_of({"request": REQUEST | SIBLINGS}))
    assert read(batch_of({"request": REQUEST, **SIBLINGS})) == placed
    with pytest.raises(InvalidArgument, match=r'Unknown name "tool" at .*requests\[0\]'):
        read(batch_of({"request": REQUEST, "tool": []}))
