"""Answers of Gemini servers by schemas that are not plain: proved apart, with the same outcome."""

from typing import Any

import pytest

from support.engines.misbehaving_gemini import (
    MisbehavingGemini,
    candidate,
    responding,
    streaming,
)
from support.engines.pool_before_servers import world
from support.structured.hostile_schemas import COSTLY
from toplu.errors import InvalidArgument

FAMILY = {
    "type": "object",
    "properties": {"age": {"type": "integer"}, "child": {"$ref": "#"}},
    "required": ["age"],
}
FORM = {"responseMimeType": "application/json", "responseJsonSchema": FAMILY}
TOOLS = [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": FAMILY}]}]
QUESTION: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "q"}]}]}
RIGHT, WRONG = ({"text": f'{{"age": 7, "child": {{"age": {age}}}}}'} for age in ("1", '"old"'))
WRONG_CALL = {"functionCall": {"name": "f", "args": {"age": 7, "child": {}}}}


async def test_an_answer_validates_or_is_asked_for_again() -> None:
    answers = [responding(candidate(each)) for each in (WRONG, RIGHT)]
    server = MisbehavingGemini(lambda *_: answers[len(server.bodies) - 1])
    async with world(server) as here:
        got = await here.call(QUESTION | {"generationConfig": FORM})
    assert got["candidates"] == [candidate(RIGHT)]
    assert "`type` at $.child.age" in server.bodies[1]["contents"][0]["parts"][1]["text"]


async def test_a_call_validates_or_is_left_out() -> None:
    server = MisbehavingGemini(lambda *_: responding(candidate(WRONG_CALL)))
    async with world(server) as here:
        got = await here.call(QUESTION | {"tools": TOOLS})
    assert got["candidates"][0]["finishReason"] == "MALFORMED_FUNCTION_CALL"
    assert "`required` at $.child" in got["candidates"][0]["finishMessage"]


async def test_the_last_chunk_of_a_stream_says_whether_the_whole_validates() -> None:
    chunk = {"candidates": [candidate(WRONG)], "usageMetadata": {}}
    async with world(MisbehavingGemini(lambda *_: streaming(chunk))) as here:
        [last] = await here.stream("q", generationConfig=FORM)
    assert last["candidates"][0]["finishReason"] == "OTHER"
    assert "`type` at $.child.age" in last["candidates"][0]["finishMessage"]


async def test_a_schema_that_takes_too_much_is_refused_before_anybody_is_asked() -> None:
    server = MisbehavingGemini(lambda *_: responding(candidate(RIGHT)))
    form = FORM | {"responseJsonSchema": COSTLY["a chain of references"]}
    async with world(server) as here:
        with pytest.raises(InvalidArgument, match="schema_seconds_max") as refused:
            await here.call(QUESTION | {"generationConfig": form})
    assert "generation_config.response_json_schema" in refused.value.message
    assert server.bodies == []
