"""Answers of Gemini servers that are to have a form: with STOP they validate, or do not have it."""

import asyncio
from typing import Any

import pytest

from support.engines.misbehaving_gemini import (
    MisbehavingGemini,
    candidate,
    responding,
    response,
    streaming,
)
from support.engines.misbehaving_server import Behaviour
from support.engines.pool_before_servers import world
from toplu.errors import InvalidArgument
from toplu.fleet.work import Stream
from toplu.wire.gemini import proto_json
from toplu.wire.gemini.content import GenerateContentRequest

AGE = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
OPENAPI_AGE = {"type": "OBJECT", "properties": {"age": {"type": "INTEGER"}}, "required": ["age"]}
FORM = {"responseMimeType": "application/json", "responseJsonSchema": AGE}
QUESTION = {"contents": [{"role": "user", "parts": [{"text": "q"}]}]}
WRONG, RIGHT = {"text": '{"age": "old"}'}, {"text": '{"age": 7}'}
VIOLATION = "The answer does not validate: `type` at $.age."
F = {"name": "f", "parametersJsonSchema": AGE}


def asking(config: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    return QUESTION | ({"generationConfig": FORM | config} if config is not None else {}) | fields


def calling(mode: str = "AUTO", *allowed: str) -> dict[str, Any]:
    config = {"mode": mode, "allowedFunctionNames": list(allowed)}
    declared = [F, F | {"name": "g"}]
    return {
        "tools": [{"functionDeclarations": declared}],
        "toolConfig": {"functionCallingConfig": config},
    }


def a_call(name: str = "f", **args: Any) -> dict[str, Any]:
    return {"functionCall": {"name": name, "args": args}}


def in_turn(*answers: Behaviour) -> MisbehavingGemini:
    """Return a server that gives these answers one after another."""
    server = MisbehavingGemini(lambda *_: answers[len(server.bodies) - 1])
    return server


async def test_a_valid_answer_comes_back_as_it_is():
    answer = candidate({"text": "hm", "thought": True}, {"text": '{"age"'}, {"text": ": 7}"})
    server = in_turn(responding(answer))
    async with world(server) as here:
        got = await here.call(asking({}))
    assert got == response("") | {"candidates": [answer]}
    assert server.bodies == [asking({})]


async def test_a_broken_answer_is_asked_for_again_and_all_its_tokens_count():
    server = in_turn(responding(candidate(WRONG)), responding(candidate(RIGHT)))
    async with world(server) as here:
        got = await here.call(asking({"temperature": 0, "seed": 5}))
    assert got["candidates"] == [candidate(RIGHT)]
    assert got["usageMetadata"] == {
        "promptTokenCount": 6,
        "candidatesTokenCount": 4,
        "thoughtsTokenCount": 2,
        "totalTokenCount": 12,
        "serviceTier": "standard",
    }
    first, again = server.bodies
    assert first == asking({"temperature": 0, "seed": 5})
    assert again["generationConfig"] == FORM | {"temperature": 0.3, "seed": 1005}
    question, correction = again["contents"][0]["parts"]
    assert question == {"text": "q"}
    assert VIOLATION in correction["text"]


@pytest.mark.parametrize(
    "form",
    [
        FORM,
        {"responseMimeType": "application/json", "responseSchema": OPENAPI_AGE},
        {"responseFormat": {"text": {"mimeType": "APPLICATION_JSON", "schema": AGE}}},
    ],
)
async def test_the_last_attempt_says_what_is_broken_and_never_stop(form: dict[str, Any]):
    server = MisbehavingGemini(lambda *_: responding(candidate(WRONG)))
    async with world(server) as here:
        got = await here.call(QUESTION | {"generationConfig": form})
    assert len(server.bodies) == here.model.structure_attempts_max == 3
    broken = candidate(WRONG, reason="OTHER", finishMessage=VIOLATION)
    assert got["candidates"] == [broken]


async def test_json_without_a_schema_is_json():
    form = {"generationConfig": {"responseMimeType": "application/json"}}
    fenced, scalar = {"text": "```json\n7\n```"}, {"text": "7"}
    server = in_turn(responding(candidate(fenced)), responding(candidate(scalar)))
    async with world(server) as here:
        got = await here.call(QUESTION | form)
    assert got["candidates"] == [candidate(scalar)]


async def test_one_of_an_enum_comes_without_quotes():
    form = {"responseMimeType": "text/x.enum", "responseSchema": {"enum": ["a", "b"]}}
    server = in_turn(responding(candidate({"text": '"a"'})), responding(candidate({"text": "b"})))
    async with world(server) as here:
        got = await here.call(QUESTION | {"generationConfig": form})
    assert got["candidates"] == [candidate({"text": "b"})]


async def test_only_the_broken_candidate_is_asked_for_again_and_keeps_its_place():
    good, bad = candidate(RIGHT, index=0), candidate(WRONG, index=1)
    server = in_turn(responding(good, bad), responding(candidate(RIGHT, index=0)))
    async with world(server) as here:
        got = await here.call(asking({"candidateCount": 2}))
    assert got["candidates"] == [good, candidate(RIGHT, index=1)]
    assert [body["generationConfig"]["candidateCount"] for body in server.bodies] == [2, 1]


async def test_an_attempt_that_is_blocked_leaves_the_broken_answer_marked():
    blocked = responding(promptFeedback={"blockReason": "SAFETY"})
    server = in_turn(responding(candidate(WRONG)), blocked, blocked)
    async with world(server) as here:
        got = await here.call(asking({}))
    assert got["candidates"] == [candidate(WRONG, reason="OTHER", finishMessage=VIOLATION)]
    assert "promptFeedback" not in got


@pytest.mark.parametrize("reason", ["MAX_TOKENS", "SAFETY", "OTHER", None])
async def test_what_is_not_finished_is_the_servers_to_explain(reason: str | None):
    answer = candidate({"text": '{"age'}, reason=reason)
    server = in_turn(responding(answer))
    async with world(server) as here:
        assert (await here.call(asking({})))["candidates"] == [answer]


async def test_right_calls_come_back_as_they_are_whatever_text_has_no_form():
    answer = candidate({"text": "Let me see."}, a_call(age=1), a_call("g", age=2))
    server = in_turn(responding(answer))
    async with world(server) as here:
        got = await here.call(asking({}, **calling("ANY")))
    assert got["candidates"] == [answer]


@pytest.mark.parametrize(
    ("parts", "told", "fault"),
    [
        (
            [a_call(age=1), a_call(age="old"), a_call(age=2), {"text": "x"}],
            [a_call(age=1), {"text": "x"}],
            "The arguments of `f` do not validate: `type` at $.age.",
        ),
        ([a_call("h", age=1)], [], "The answer calls `h`, which it may not."),
        ([a_call("g", age=1)], [], "The answer calls `g`, which it may not."),
        ([{"text": "no"}], [{"text": "no"}], "The answer calls no function, and has to."),
    ],
)
async def test_calls_that_may_not_be_made_are_asked_for_again_and_then_left_out(
    parts: list[Any], told: list[Any], fault: str
):
    server = MisbehavingGemini(lambda *_: responding(candidate(*parts)))
    async with world(server) as here:
        got = await here.call(QUESTION | calling("ANY", "f"))
    assert len(server.bodies) == 3
    assert fault in server.bodies[1]["contents"][0]["parts"][1]["text"]
    reason = "MALFORMED_FUNCTION_CALL"
    assert got["candidates"] == [candidate(*told, reason=reason, finishMessage=fault)]


async def test_a_history_that_ends_in_results_is_asked_again_as_it_is():
    contents = [
        *QUESTION["contents"],
        {"role": "model", "parts": [a_call(age=1)]},
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]},
    ]
    server = in_turn(responding(candidate(a_call())), responding(candidate(a_call(age=1))))
    async with world(server) as here:
        await here.call({"contents": contents} | calling())
    assert server.bodies[1]["contents"] == contents


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        (asking({"responseJsonSchema": {"type": "nothing"}}), "response_json_schema.type"),
        (
            QUESTION
            | {
                "tools": [
                    {"functionDeclarations": [F | {"parametersJsonSchema": {"properties": 1}}]}
                ]
            },
            "tools[0].function_declarations[0].parameters_json_schema.properties",
        ),
    ],
)
async def test_what_is_no_schema_is_refused_with_its_place(fields: dict[str, Any], place: str):
    server = MisbehavingGemini()
    async with world(server) as here:
        await here.supervisor.ready()
        with pytest.raises(InvalidArgument) as refusal:
            await here.call(fields)
    assert place in refusal.value.message
    assert server.bodies == []


def chunk(*parts: dict[str, Any], reason: str | None = None, **more: Any) -> dict[str, Any]:
    return {"candidates": [candidate(*parts, reason=reason, **more)], "usageMetadata": {}}


async def test_a_stream_ends_with_stop_only_if_the_whole_validates():
    halves = [chunk({"text": '{"age": '}), chunk({"text": "7}"}, reason="STOP")]
    server = in_turn(streaming(*halves))
    async with world(server) as here:
        assert await here.stream("q", generationConfig=FORM) == halves


async def test_a_stream_that_breaks_its_form_has_one_attempt_and_says_so_at_its_end():
    halves = [chunk({"text": '{"age": '}), chunk({"text": '"old"}'}, reason="STOP")]
    server = in_turn(streaming(*halves))
    async with world(server) as here:
        told = await here.stream("q", generationConfig=FORM)
    last = chunk({"text": '"old"}'}, reason="OTHER", finishMessage=VIOLATION)
    assert told == [halves[0], last]
    assert len(server.bodies) == 1


async def test_a_stream_whose_every_chunk_stops_is_judged_by_its_last():
    halves = [chunk({"text": text}, reason="STOP") for text in ('{"age": ', "7}")]
    server = in_turn(streaming(*halves))
    async with world(server) as here:
        told = await here.stream("q", generationConfig=FORM)
    assert told == [chunk({"text": '{"age": '}), halves[1]]


async def test_a_chunk_is_sent_while_the_next_is_made():
    first_was_told = asyncio.Event()
    first, last = chunk({"text": '{"age": '}), chunk({"text": "7}"}, reason="STOP")
    server = in_turn(streaming(first, first_was_told, last))

    async def listen(_chunk: Any) -> None:
        first_was_told.set()

    async with world(server) as here:
        asked = proto_json.read_value(GenerateContentRequest, asking({}))
        await here.pool.run(Stream(request=asked, listener=listen))


async def test_a_streamed_call_that_may_not_be_made_is_not_sent():
    chunks = [chunk(a_call(age=1)), chunk(a_call(age="old"), {"text": "x"}), chunk(reason="STOP")]
    server = in_turn(streaming(*chunks))
    async with world(server) as here:
        told = await here.stream("q", **calling())
    fault = "The arguments of `f` do not validate: `type` at $.age."
    end = chunk(reason="MALFORMED_FUNCTION_CALL", finishMessage=fault)
    assert told == [chunks[0], chunk({"text": "x"}), end]


async def test_candidates_of_a_stream_are_judged_apart():
    chunks = [
        chunk(RIGHT, reason="STOP", index=0),
        chunk(WRONG, reason="STOP", index=1),
        {"usageMetadata": {"totalTokenCount": 9}},
    ]
    server = in_turn(streaming(*chunks))
    async with world(server) as here:
        told = await here.stream("q", generationConfig=FORM)
    broken = chunk(WRONG, reason="OTHER", finishMessage=VIOLATION, index=1)
    assert told == [chunks[0], broken, chunks[2]]


@pytest.mark.parametrize("odd", [7, "x", None])
async def test_whatever_stands_in_the_place_of_a_candidate_is_passed_on(odd: Any):
    server = in_turn(responding(odd))
    async with world(server) as here:
        assert (await here.call(asking({})))["candidates"] == [odd]


async def test_a_finished_candidate_without_content_is_no_form():
    empty = {"content": 3, "finishReason": "STOP"}
    server = MisbehavingGemini(lambda *_: responding(empty))
    async with world(server) as here:
        (told,) = (await here.call(asking({})))["candidates"]
    assert told["finishReason"] == "OTHER"
