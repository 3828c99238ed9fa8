"""The promises of every engine to a listener while it answers."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from support.engines.engines_under_test import GONE, KINDS, a_prompt, launched_kind
from support.waiting import PATIENCE_SECONDS
from toplu.engines.generation import Listener, Piece
from toplu.errors import Cancelled
from toplu.fleet.processes.engine_handle import EngineHandle
from toplu.settings.server import EchoSettings, ModelSettings

pytestmark = pytest.mark.asyncio(loop_scope="module")

STORY = "Tell me a long story about the sea, the wind and a ship."


def into(pieces: list[Piece]) -> Listener:
    async def listen(piece: Piece) -> None:
        pieces.append(piece)

    return listen


class Gate:
    """A listener that lets no second piece come until it is opened."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self.heard = asyncio.Event()
        self.open = asyncio.Event()

    async def __call__(self, piece: Piece) -> None:
        self.pieces.append(piece)
        self.heard.set()
        await self.open.wait()


@pytest_asyncio.fixture(loop_scope="module", params=KINDS)
async def talking(request: pytest.FixtureRequest) -> AsyncIterator[EngineHandle]:
    """An engine for one test that has begun to speak long before it ends."""
    slow = EchoSettings(word_seconds=600)
    echo = ModelSettings(name="echo", engine="echo", lanes=2, echo=slow)
    async with launched_kind(request.param, echo) as engine:
        yield engine


async def test_the_pieces_are_the_text_that_the_same_seed_gives_without_a_listener(
    running: EngineHandle,
):
    prompt = a_prompt(STORY, tokens_max=24, temperature=0.8)
    # The first answer leaves the prefix, so that the other two are computed alike.
    await running.engine.generate(prompt, 0)
    whole = await running.engine.generate(prompt, 0)
    pieces: list[Piece] = []
    streamed = await running.engine.generate(prompt, 0, into(pieces))
    assert streamed == whole
    assert "".join(piece.text for piece in pieces) == whole.completions[0].text
    assert len(pieces) > 3
    assert all(piece.text for piece in pieces)
    assert {piece.prompt_tokens for piece in pieces} == {whole.prompt_tokens}


async def test_candidates_come_one_after_another(running: EngineHandle):
    pieces: list[Piece] = []
    prompt = a_prompt(STORY, candidates=3, temperature=0.8)
    generation = await running.engine.generate(prompt, 1, into(pieces))
    indexes = [piece.index for piece in pieces]
    assert indexes == sorted(indexes)
    for index, completion in enumerate(generation.completions):
        told = "".join(piece.text for piece in pieces if piece.index == index)
        assert told == completion.text != ""


async def test_a_piece_comes_before_the_answer_is_complete_and_waits_to_be_taken(
    running: EngineHandle,
):
    gate = Gate()
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        call = group.create_task(running.engine.generate(a_prompt(STORY), 0, gate))
        await gate.heard.wait()
        # The engine goes to others and back, and still the second piece has not come.
        await running.engine.generate(a_prompt("Hi", tokens_max=2), 1)
        assert len(gate.pieces) == 1
        assert not call.done()
        gate.open.set()
    text = call.result().completions[0].text
    assert gate.pieces[0].text != text == "".join(piece.text for piece in gate.pieces)


async def test_a_cancelled_listener_frees_the_lane(talking: EngineHandle):
    gate = Gate()
    other = Gate()
    async with asyncio.timeout(PATIENCE_SECONDS):
        async with asyncio.TaskGroup() as group:
            prompt = a_prompt(STORY, tokens_max=400)
            call = group.create_task(talking.engine.generate(prompt, 0, gate))
            await gate.heard.wait()
            call.cancel()
        async with asyncio.TaskGroup() as group:
            call = group.create_task(talking.engine.generate(a_prompt("Hi"), 0, other))
            await other.heard.wait()
            call.cancel()


async def test_a_listener_that_fails_ends_the_call_and_frees_the_lane(running: EngineHandle):
    async def refuse(_piece: Piece) -> None:
        raise Cancelled("enough")

    async with asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(Cancelled, match="enough"):
            await running.engine.generate(a_prompt(STORY, tokens_max=400), 0, refuse)
        generation = await running.engine.generate(a_prompt("Hi", tokens_max=2), 0)
    assert generation.completions[0].text


async def test_an_engine_that_dies_while_it_speaks_fails_the_call(talking: EngineHandle):
    gate = Gate()

    async def listen_to_the_end() -> None:
        with pytest.raises(GONE):
            await talking.engine.generate(a_prompt(STORY, tokens_max=400), 0, gate)

    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        group.create_task(listen_to_the_end())
        await gate.heard.wait()
        gate.open.set()
        talking.kill()
        await talking.wait_for_death()
