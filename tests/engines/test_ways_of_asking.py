"""Servers that refuse or pass over a form that is asked for: the next best way is taken."""

import json
from typing import Any

import pytest

from support.engines.misbehaving_server import (
    Behaviour,
    MisbehavingServer,
    refusing,
    right,
    saying,
    streaming_events,
)
from support.engines.pool_before_servers import world
from support.fleet.scripted_engine import captured_logs
from toplu.errors import Internal, InvalidArgument

AGE = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
UNIQUE = {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}
QUESTION = {"contents": [{"role": "user", "parts": [{"text": "q"}]}]}
NO_PARSER = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
TOLD = "this JSON Schema"
CALL = '<tool_call>\n{"name": "f", "arguments": {"age": 7}}\n</tool_call>'
MADE = {"name": "f", "args": {"age": 7}}


def forming(schema: Any = AGE, mime_type: str = "application/json") -> dict[str, Any]:
    form = {"responseMimeType": mime_type, "responseJsonSchema": schema}
    return QUESTION | {"generationConfig": form}


def calling(mode: str = "AUTO") -> dict[str, Any]:
    return QUESTION | {
        "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": AGE}]}],
        "toolConfig": {"functionCallingConfig": {"mode": mode}},
    }


def deciding(decide: Any) -> MisbehavingServer:
    """Return a server that does what `decide` returns for the body of a request."""

    async def treat(server: Any, request: Any, body: Any) -> Any:
        behaviour: Behaviour = decide(body)
        return await behaviour(server, request, body)

    return MisbehavingServer(lambda *_: treat)


def schema_of(body: dict[str, Any]) -> Any:
    form = body.get("response_format")
    return form and form["json_schema"]["schema"]


def end_of(body: dict[str, Any]) -> str:
    return str(body["messages"][-1]["content"])


def call_of(answer: dict[str, Any]) -> dict[str, Any]:
    (part,) = answer["candidates"][0]["content"]["parts"]
    called: dict[str, Any] = part["functionCall"]
    return {name: called[name] for name in ("name", "args")}


async def test_a_schema_that_a_server_refuses_is_relaxed():
    def decide(body: dict[str, Any]) -> Behaviour:
        refused = "uniqueItems" in json.dumps(schema_of(body))
        return refusing(400, 'Unimplemented keys: ["uniqueItems"]') if refused else saying("[1]")

    server = deciding(decide)
    async with world(server) as here:
        answer = await here.call(forming(UNIQUE))
    assert answer["candidates"][0]["finishReason"] == "STOP"
    own, relaxed = map(schema_of, server.bodies)
    assert own == UNIQUE
    assert relaxed["items"] == {"type": "integer"}
    assert relaxed["x-guidance"]["lenient"]
    assert not any(TOLD in end_of(body) for body in server.bodies)


@pytest.mark.parametrize("text", ['{"age": 7}', '```json\n{"age": 7}\n```', ' \n{"age": 7}\n'])
async def test_a_server_that_refuses_every_schema_gets_it_in_the_prompt(text: str):
    def decide(body: dict[str, Any]) -> Behaviour:
        return refusing(400, "no") if "response_format" in body else saying(text)

    server = deciding(decide)
    async with world(server) as here:
        answer = await here.call(forming())
    (candidate,) = answer["candidates"]
    assert candidate["finishReason"] == "STOP"
    assert json.loads(candidate["content"]["parts"][0]["text"]) == {"age": 7}
    assert [TOLD in end_of(body) for body in server.bodies] == [False, False, True]
    assert json.dumps(AGE) in end_of(server.bodies[-1])


async def test_a_server_that_breaks_down_over_a_schema_is_asked_in_another_way():
    def decide(body: dict[str, Any]) -> Behaviour:
        broken = schema_of(body) == AGE
        return refusing(500, "Internal server error") if broken else saying('{"age": 7}')

    server = deciding(decide)
    async with world(server, failures_max=1) as here:
        answer = await here.call(forming())
    assert answer["candidates"][0]["finishReason"] == "STOP"
    assert len(server.bodies) == 2


async def test_a_server_that_leaves_an_answer_with_a_schema_empty_is_asked_without_one():
    server = deciding(lambda body: saying("" if "response_format" in body else '{"age": 7}'))
    async with world(server, failures_max=1) as here:
        answer = await here.call(forming())
    assert answer["candidates"][0]["finishReason"] == "STOP"
    assert ["response_format" in body for body in server.bodies] == [True, True, False]
    assert json.dumps(AGE) in end_of(server.bodies[-1])


async def test_a_stream_that_begins_with_a_refusal_is_asked_for_in_another_way():
    words = {"error": {"message": "Cannot find field", "type": "BadRequestError", "code": 400}}

    def decide(body: dict[str, Any]) -> Behaviour:
        refused = schema_of(body) == AGE
        return streaming_events(words) if refused else saying('{"age": 7}')

    server = deciding(decide)
    async with world(server, failures_max=1) as here:
        chunks = await here.stream("q", generationConfig=forming()["generationConfig"])
    assert chunks[-1].candidates[0].finish_reason == "STOP"
    assert len(server.bodies) == 2


async def test_a_stream_that_is_refused_later_ends_with_the_refusal():
    text = {"choices": [{"delta": {"content": "{"}}]}
    words = {"error": {"message": "Cannot find field", "type": "BadRequestError", "code": 400}}
    server = deciding(lambda _body: streaming_events(text, words))
    async with world(server) as here:
        with pytest.raises(InvalidArgument, match="Cannot find field"):
            await here.stream("q", generationConfig=forming()["generationConfig"])
    assert len(server.bodies) == 1


async def test_a_server_that_fails_over_everything_is_tried_so_often_as_it_may():
    server = deciding(lambda _body: refusing(500, "no"))
    async with world(server, attempts_max=2, failures_max=10) as here:
        with pytest.raises(Internal, match="the server fails: no"):
            await here.call(forming())
    assert len(server.bodies) == 2 * 3


async def test_a_request_that_is_wrong_in_every_way_is_refused_in_the_first_words():
    words = iter(["first", "second", "third"])
    server = deciding(lambda _body: refusing(400, next(words)))
    async with world(server) as here:
        with pytest.raises(InvalidArgument, match=r"^first$"):
            await here.call(forming())
    assert len(server.bodies) == 3


async def test_a_prompt_that_is_too_long_is_asked_once():
    words = (
        "This model's maximum context length is 2048 tokens. However, your prompt contains at "
        "least 2049 input tokens, which exceeds this limit even without any output tokens."
    )
    server = deciding(lambda _body: refusing(400, words))
    async with world(server) as here:
        with pytest.raises(InvalidArgument):
            await here.call(forming())
    assert len(server.bodies) == 1


async def test_a_server_that_holds_to_nothing_gets_the_form_in_the_prompt_and_is_asked_again():
    texts = iter(['{"age": "old"}', 'Sure!\n{"age": 7}', '{"age": 7}'])
    server = deciding(lambda _body: saying(next(texts)))
    async with world(server, structured="none") as here:
        answer = await here.call(forming())
    (candidate,) = answer["candidates"]
    assert (candidate["finishReason"], candidate["content"]["parts"]) == (
        "STOP",
        [{"text": '{"age": 7}'}],
    )
    assert all(TOLD in end_of(body) for body in server.bodies)
    assert not any("response_format" in body for body in server.bodies)
    assert "`type` at $.age" in end_of(server.bodies[1])


async def test_a_server_that_holds_to_nothing_never_stops_with_a_broken_form():
    server = deciding(lambda _body: saying("I will not."))
    async with world(server, structured="none") as here:
        answer = await here.call(forming())
    (candidate,) = answer["candidates"]
    assert candidate["finishReason"] == "OTHER"
    assert "`JSON` at $" in candidate["finishMessage"]
    assert len(server.bodies) == 3


@pytest.mark.parametrize("text", ["pear", '"pear"', "```\npear\n```"])
async def test_one_of_an_enum_comes_bare_from_a_server_that_holds_to_nothing(text: str):
    server = deciding(lambda _body: saying(text))
    async with world(server, structured="none") as here:
        answer = await here.call(forming({"enum": ["apple", "pear"]}, "text/x.enum"))
    assert answer["candidates"][0]["content"]["parts"] == [{"text": "pear"}]


async def test_a_stream_of_an_answer_to_a_form_in_the_prompt_comes_when_it_is_whole():
    server = deciding(lambda _body: saying('```json\n{"age": 7}\n```'))
    config = forming()["generationConfig"]
    async with world(server, structured="none") as here:
        chunks = await here.stream("q", generationConfig=config)
    (last,) = chunks
    assert last.candidates[0].content.parts[0].text == '{"age": 7}'
    assert last.candidates[0].finish_reason == "STOP"


@pytest.mark.parametrize("text", [f"Let me see.\n{CALL}", CALL.replace("\n", "")])
async def test_a_call_that_a_server_leaves_in_the_text_is_a_call(text: str):
    server = deciding(lambda _body: saying(text))
    async with world(server) as here:
        answer = await here.call(calling())
        chunks = await here.stream("q", **{k: v for k, v in calling().items() if k != "contents"})
    assert "tools" in server.bodies[0]
    *before, last = answer["candidates"][0]["content"]["parts"]
    assert before in ([], [{"text": "Let me see."}])
    assert last["functionCall"]["args"] == {"age": 7}
    streamed = "".join(
        part.text or "" for chunk in chunks for part in chunk.candidates[0].content.parts
    )
    assert "tool_call" not in streamed
    assert chunks[-1].candidates[0].content.parts[-1].function_call.args == {"age": 7}


async def test_a_server_that_takes_no_tools_is_asked_in_text_from_then_on():
    def decide(body: dict[str, Any]) -> Behaviour:
        return refusing(400, NO_PARSER) if "tools" in body else saying(CALL)

    server = deciding(decide)
    with captured_logs() as logs:
        async with world(server) as here:
            assert call_of(await here.call(calling())) == MADE
            assert call_of(await here.call(calling())) == MADE
    assert ["tools" in body for body in server.bodies] == [True, False, False]
    assert "<tools>" in server.bodies[-1]["messages"][0]["content"]
    (entry,) = [each for each in logs if each["event"] == "server_takes_no_tools"]
    assert entry["reason"] == NO_PARSER


async def test_functions_that_a_server_cannot_read_say_nothing_of_others():
    def decide(body: dict[str, Any]) -> Behaviour:
        return refusing(400, "Invalid schema for function 'f'") if "tools" in body else saying(CALL)

    server = deciding(decide)
    async with world(server) as here:
        assert call_of(await here.call(calling())) == MADE
        assert call_of(await here.call(calling())) == MADE
    assert ["tools" in body for body in server.bodies] == [True, False, True, False]


@pytest.mark.parametrize("structured", ["grammar", "json_schema"])
async def test_a_call_that_has_to_be_made_as_text_is_held_by_a_schema(structured: str):
    def decide(body: dict[str, Any]) -> Behaviour:
        if "tools" in body:
            return refusing(400, NO_PARSER)
        listed = json.dumps([{"name": "f", "arguments": {"age": 7}}])
        return saying(listed) if "response_format" in body else right

    server = deciding(decide)
    async with world(server, structured=structured) as here:
        assert call_of(await here.call(calling("ANY"))) == MADE
    schema = schema_of(server.bodies[-1])
    assert schema["items"]["properties"]["name"] == {"const": "f"}
    assert schema["minItems"] == 1


async def test_a_call_as_text_that_breaks_its_schema_is_held_the_next_time():
    broken = CALL.replace("7", '"old"')

    def decide(body: dict[str, Any]) -> Behaviour:
        listed = json.dumps([{"name": "f", "arguments": {"age": 7}}])
        return saying(listed if "response_format" in body else broken)

    server = deciding(decide)
    async with world(server, structured="grammar") as here:
        assert call_of(await here.call(calling())) == MADE
    assert ["response_format" in body for body in server.bodies] == [False, True]
    assert "`type` at $.age" in end_of(server.bodies[1])


async def test_a_server_that_makes_wrong_calls_is_held_in_the_last_attempt():
    wrong = {"function": {"name": "f", "arguments": '{"age": "old"}'}}

    def decide(body: dict[str, Any]) -> Behaviour:
        if "tools" in body:
            return saying("", tool_calls=[wrong])
        return saying(json.dumps([{"name": "f", "arguments": {"age": 7}}]))

    server = deciding(decide)
    async with world(server) as here:
        assert call_of(await here.call(calling())) == MADE
    assert ["tools" in body for body in server.bodies] == [True, True, False]
