"""The pool has documents read before it makes a prompt, and bounds who waits for that."""

import asyncio

import pytest

from support.fleet.pool_world import World, world
from support.fleet.scripted_engine import a_request
from toplu.engines.translation.media import with_read
from toplu.errors import Unavailable, Unimplemented
from toplu.fleet.work import Answer, CountTokens, Resolve
from toplu.settings.server import ModelSettings
from toplu.wire.gemini.content import Blob, Content, GenerateContentRequest, Part

DOCUMENT = GenerateContentRequest(
    contents=[Content(parts=[Part(inline_data=Blob(mime_type="text/plain", data=b"x"))])]
)


class Reading:
    """Puts `read` in the place of a document, once it may."""

    def __init__(self) -> None:
        self.asked = 0
        self.may_end = asyncio.Event()

    async def resolve(
        self, request: GenerateContentRequest, _model: ModelSettings
    ) -> GenerateContentRequest:
        self.asked += 1
        await self.may_end.wait()
        return with_read(request, {"contents[0].parts[0]": ["read"]})


async def ask(here: World, request: GenerateContentRequest, resolve: Resolve | None) -> str:
    answered = await here.pool.run(Answer(request=request, resolve=resolve))
    parts = answered.response.candidates[0].content.parts
    assert parts is not None
    return parts[0].text or ""


async def test_the_engine_is_asked_in_text():
    async with world() as here:
        reading = Reading()
        reading.may_end.set()
        assert await ask(here, DOCUMENT, reading.resolve) == "re: read"
        count = await here.pool.run(CountTokens(request=DOCUMENT, resolve=reading.resolve))
        assert count.total_tokens == 1


async def test_a_request_without_documents_waits_for_nobody():
    async with world() as here:
        reading = Reading()
        assert await ask(here, a_request("a"), reading.resolve) == "re: a"
        assert reading.asked == 0


async def test_a_document_that_nobody_reads_is_refused_and_not_left_out():
    async with world() as here:
        with pytest.raises(Unimplemented, match=r"contents\[0\]\.parts\[0\]\.inlineData"):
            await ask(here, DOCUMENT, None)


async def test_calls_that_wait_for_their_documents_are_bounded():
    async with world(interactive_waiting_max=2) as here, asyncio.TaskGroup() as calls:
        reading = Reading()
        waiting = [calls.create_task(ask(here, DOCUMENT, reading.resolve)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Unavailable, match="overloaded"):
            await ask(here, DOCUMENT, reading.resolve)
        reading.may_end.set()
        assert await asyncio.gather(*waiting) == ["re: read"] * 2


async def test_a_call_does_not_wait_for_ever_for_its_documents():
    async with world(request_seconds_max=0.01) as here:
        with pytest.raises(Unavailable, match="Please try again later"):
            await ask(here, DOCUMENT, Reading().resolve)
