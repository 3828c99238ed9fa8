"""Faults of servers of vectors cost no text its vector, and no two get mixed up."""

import asyncio
import math
import random
from contextlib import AsyncExitStack

import pytest

from support.engines.embedding_world import DIMENSIONS, World, is_of, world
from support.engines.misbehaving_gemini import GOOGLES_FAULTS, MisbehavingGemini
from support.engines.misbehaving_server import (
    Behaviour,
    MisbehavingServer,
    changed,
    empty,
    half,
    no_json,
    numbers,
    other_json,
    refusing,
    reset,
    right,
    slow,
)
from toplu.errors import Internal, InvalidArgument, Unavailable

TOO_FEW = changed(lambda answer: answer["data"].pop())
TWICE_THE_SAME = changed(lambda answer: answer["data"][0].update(index=0))
NO_NUMBERS = changed(lambda answer: answer["data"][0].update(embedding="?"))
ALL_ZERO = changed(lambda answer: answer["data"][0].update(embedding=[0.0] * DIMENSIONS))
LOSSES: dict[str, Behaviour] = {
    "reset": reset,
    "half": half,
    "no_json": no_json,
    "other_json": other_json,
    "empty": empty,
    "failure": refusing(500),
    "too_few": TOO_FEW,
    "no_numbers": NO_NUMBERS,
    "all_zero": ALL_ZERO,
}
ALL_FAULTS = [
    *LOSSES.values(),
    slow,
    numbers,
    TWICE_THE_SAME,
    refusing(429),
    refusing(429, Retry_After="0"),
    refusing(503),
]

Kind = type[MisbehavingServer]
KINDS = [MisbehavingServer, MisbehavingGemini]
FEWER = changed(lambda answer: answer["embeddings"].pop())
NO_VECTORS = changed(lambda answer: answer["embeddings"][0].update(values="?"))
FAULTS: dict[Kind, list[Behaviour]] = {
    MisbehavingServer: ALL_FAULTS,
    MisbehavingGemini: [reset, half, no_json, empty, slow, FEWER, NO_VECTORS, *GOOGLES_FAULTS],
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
async def test_every_text_of_many_gets_its_one_right_vector(kind: Kind, seed: int):
    chance = random.Random(seed)

    def script(_text: str, _number: int) -> Behaviour:
        return chance.choice(FAULTS[kind]) if chance.random() < 0.4 else right

    texts = [f"text {number} " + "word " * (number % 90) for number in range(600)]
    async with world(kind(script), kind(script)) as here:
        responses = await here.outcomes(texts)
    assert all(map(is_of, responses, texts))


@pytest.mark.parametrize("kind", KINDS)
async def test_texts_travel_together_and_their_counts_add_up(kind: Kind):
    server = kind()
    texts = [f"text {number} " + "word " * (number % 9) for number in range(100)]
    async with world(server) as here:
        responses = await here.outcomes(texts)
    assert len(server.bodies) < 10
    counts = [each.usage_metadata.prompt_token_count for each in responses]  # type: ignore[union-attr]
    assert sum(counts) == sum(len(text.split()) for text in texts)


@pytest.mark.parametrize("name", LOSSES)
async def test_a_text_that_is_never_answered_whole_sinks_nobody_else(name: str):
    server = MisbehavingServer(lambda text, _: LOSSES[name] if "bad" in text else right)
    texts = [f"text {number}" for number in range(30)]
    async with world(server, attempts_max=3) as here:
        outcomes = await here.outcomes([*texts[:10], "bad", *texts[10:]])
    bad = outcomes.pop(10)
    assert all(map(is_of, outcomes, texts))
    assert isinstance(bad, Internal)
    assert bad.message.startswith("The request was not answered: the server ")
    # Sent into a connection that was used before, a reset looks like an idle one's end.
    assert server.asked["bad"] == 3 or (name == "reset" and server.asked["bad"] <= 6)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_text_that_is_refused_has_the_servers_words_and_the_others_their_vectors(
    kind: Kind,
):
    server = kind(lambda text, _: refusing(400, "ugly") if "bad" in text else right)
    texts = [f"text {number}" for number in range(63)]
    async with world(server) as here:
        outcomes = await here.outcomes([*texts, "bad"])
    assert all(map(is_of, outcomes[:-1], texts))
    assert isinstance(outcomes[-1], InvalidArgument)
    assert outcomes[-1].message == "ugly"
    assert len(server.bodies) <= 2 * math.log2(64) + 2, "halves, not one by one"


async def test_the_error_of_a_text_that_is_too_long_has_its_tokens():
    words = "input (601 tokens) is too large to process. increase … (current batch size: 512)"
    server = MisbehavingServer(lambda *_: refusing(500, words))
    async with world(server) as here:
        with pytest.raises(InvalidArgument, match=r"count \(601\) exceeds .* allowed \(512\)"):
            await here.ask("long")
    assert len(server.bodies) == 1


async def test_vectors_of_another_length_are_waited_out_with_a_reason():
    is_wrong = True
    longer = changed(lambda answer: answer["data"][0].update(embedding=[1.0] * 9))
    server = MisbehavingServer(lambda *_: longer if is_wrong else right)
    async with world(server, patience_seconds=0.5) as here, asyncio.TaskGroup() as group:
        waiting = group.create_task(here.ask("batch"))
        await server.arrived.wait()
        while not here.pool.reason:
            await asyncio.sleep(0.01)
        assert "9 dimensions, those of the model 8" in here.pool.reason
        is_wrong = False
        assert is_of(await waiting, "batch")


async def test_while_a_server_stays_busy_calls_give_up_and_batches_wait():
    is_busy = True
    server = MisbehavingServer(lambda *_: refusing(429) if is_busy else right)
    async with world(server, patience_seconds=0.5) as here, asyncio.TaskGroup() as group:
        waiting = group.create_task(here.ask("batch"))
        with pytest.raises(Unavailable, match="Please try again later"):
            await here.ask("call", interactive=True)
        assert not waiting.done()
        is_busy = False
        assert is_of(await waiting, "batch")


async def test_a_server_that_goes_away_is_replaced_by_another():
    first, second = MisbehavingServer(), MisbehavingServer()
    texts = [f"text {number} " + "word " * 300 for number in range(200)]
    async with AsyncExitStack() as stack:
        leaving = await stack.enter_async_context(AsyncExitStack())
        await leaving.enter_async_context(first.listening())
        async with world(second) as _:
            made = World(first, second)
            async with asyncio.TaskGroup() as group:
                runs = [group.create_task(run()) for run in (made.supervisor.run, made.pool.run)]
                assert all(map(is_of, await made.outcomes(texts), texts))
                assert first.bodies
                assert second.bodies
                await leaving.aclose()
                assert all(map(is_of, await made.outcomes(texts), texts))
                for run in runs:
                    run.cancel()


async def test_an_interactive_text_goes_before_those_of_a_batch():
    server = MisbehavingServer(lambda *_: slow)
    done: list[str] = []

    async def ask(here: World, text: str, *, interactive: bool = False) -> None:
        await here.ask(text, interactive=interactive)
        done.append(text.split(maxsplit=1)[0])

    one_at_a_time = world(server, requests_first=1, requests_max=1)
    async with one_at_a_time as here, asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(ask(here, "batch " + "x" * 16000))
        await server.arrived.wait()
        group.create_task(ask(here, "now", interactive=True))
    assert done.index("now") <= 1
