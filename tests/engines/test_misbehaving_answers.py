"""Answers that are not of the form that was asked for, and those that do not fit."""

import asyncio
import json

from support.engines.misbehaving_server import MisbehavingServer, refusing, right, saying
from support.engines.pool_before_servers import world
from toplu.wire.gemini.content import GenerationConfig


async def test_an_answer_that_breaks_its_form_is_asked_for_again_and_never_passed_on():
    schema = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
    form = GenerationConfig(response_mime_type="application/json", response_json_schema=schema)
    wrong, valid = saying('{"age": "old"}'), saying('{"age": 7}')
    server = MisbehavingServer(
        lambda text, _: valid if text.startswith("good") and len(server.bodies) == 3 else wrong
    )
    async with world(server) as here:
        assert json.loads(await here.ask("good", config=form)) == {"age": 7}
        assert len({body["seed"] for body in server.bodies}) == 3
        assert "`type` at $.age" in server.bodies[1]["messages"][-1]["content"]
        answer = await here.answer("bad", config=form)
    assert len(server.bodies) == 6
    (candidate,) = answer["candidates"]
    assert candidate["finishReason"] == "OTHER"
    assert "`type` at $.age" in candidate["finishMessage"]
    sent = [body["response_format"]["json_schema"]["schema"] for body in server.bodies[3:]]
    assert sent[0] == schema
    assert sent[1] == sent[2] != schema  # that of our own grammar
    assert "this JSON Schema" not in server.bodies[4]["messages"][-1]["content"]
    assert "this JSON Schema" in server.bodies[5]["messages"][-1]["content"]


async def test_an_answer_whose_beginning_is_merely_noted_may_be_asked_for_again():
    schema = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
    form = GenerationConfig(response_mime_type="application/json", response_json_schema=schema)
    wrong, valid = saying('{"age": "old"}'), saying('{"age": 7}')
    begun = asyncio.Event()
    server = MisbehavingServer(lambda _text, _: valid if len(server.bodies) == 3 else wrong)
    async with world(server) as here:
        assert json.loads(await here.ask("good", config=form, begun=begun.set)) == {"age": 7}
    assert begun.is_set()


async def test_an_answer_that_might_not_fit_is_asked_to_be_shorter():
    words = (
        "'max_tokens' or 'max_completion_tokens' is too large: 1024. This model's maximum context "
        "length is 600 tokens and your request has 100 input tokens (1024 > 600 - 100)."
    )
    server = MisbehavingServer(lambda _, number: refusing(400, words) if number == 1 else right)
    async with world(server) as here:
        assert await here.ask("a") == "re: a"
    assert [body["max_tokens"] for body in server.bodies] == [1024, 500]
