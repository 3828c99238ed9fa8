"""Streams of servers that speak the Gemini API: chunk by chunk, and whole or with an error."""

import asyncio
from typing import Any

import pytest

from support.engines.misbehaving_gemini import MisbehavingGemini, failing, response, streaming
from support.engines.misbehaving_server import Behaviour
from support.engines.pool_before_servers import world
from support.fleet.scripted_engine import a_request
from toplu.errors import Unavailable
from toplu.fleet.work import Stream

FIRST, LAST = response("Once ", ends=False), response("upon a time")


async def test_a_chunk_is_sent_before_the_next_one_is_made():
    first_was_told = asyncio.Event()
    server = MisbehavingGemini(lambda *_: streaming(FIRST, first_was_told, LAST))
    told: list[Any] = []

    async def listen(chunk: Any) -> None:
        told.append(chunk)
        first_was_told.set()

    async with world(server) as here:
        await here.pool.run(Stream(request=a_request("a"), listener=listen))
    assert told == [FIRST, LAST]
    assert server.queries == {"alt=sse"}


async def test_a_chunk_may_have_a_whole_image_in_it():
    picture = {"inlineData": {"mimeType": "image/png", "data": "A" * (3 * 1024 * 1024)}}
    chunk = response("") | {"candidates": [{"content": {"parts": [picture]}, "finishReason": "X"}]}
    async with world(MisbehavingGemini(lambda *_: streaming(chunk))) as here:
        assert await here.stream("a") == [chunk]


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(failing(503, "UNAVAILABLE"), id="refused"),
        pytest.param(streaming(), id="nothing"),
        pytest.param(streaming("{"), id="no JSON"),
        pytest.param(streaming({}), id="empty"),
        pytest.param(streaming(aborts=True), id="reset"),
        pytest.param(
            streaming({"error": {"code": 503, "message": "no", "status": "UNAVAILABLE"}}),
            id="error",
        ),
    ],
)
async def test_a_stream_that_fails_before_it_begins_is_asked_for_again(fault: Behaviour):
    server = MisbehavingGemini(lambda _, number: fault if number == 1 else streaming(FIRST, LAST))
    async with world(server) as here:
        assert await here.stream("a") == [FIRST, LAST]
        assert server.asked["a"] == 2


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(streaming(FIRST), id="no end"),
        pytest.param(streaming(FIRST, aborts=True), id="reset"),
        pytest.param(streaming(FIRST, "{"), id="no JSON"),
        pytest.param(
            streaming(FIRST, {"error": {"code": 500, "message": "no", "status": "INTERNAL"}}),
            id="error",
        ),
    ],
)
async def test_a_stream_that_fails_later_ends_with_an_error(fault: Behaviour):
    server = MisbehavingGemini(lambda *_: fault)
    async with world(server) as here:
        with pytest.raises(Unavailable, match="died in the middle of the answer"):
            await here.stream("a")
        assert here.chunks == [FIRST]
        assert server.asked["a"] == 1


async def test_an_answer_that_is_blocked_is_an_answer():
    blocked = {
        "promptFeedback": {"blockReason": "SAFETY"},
        "usageMetadata": {"promptTokenCount": 3, "totalTokenCount": 3},
    }
    server = MisbehavingGemini(lambda *_: streaming(blocked))
    async with world(server) as here:
        assert await here.stream("a") == [blocked]
