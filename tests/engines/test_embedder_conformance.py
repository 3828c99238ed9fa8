"""The promises of every embedder, whatever computes inside it."""

import asyncio
import math
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from support.engines.embedders_under_test import (
    KINDS,
    LOCAL_KINDS,
    SLOW_ECHO_EMBEDDER,
    AnyRunning,
    cosine,
    launched_embedder_kind,
)
from support.engines.engines_under_test import GONE
from support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOLERANCE = 2e-4  # runs of other shapes add up in another order
TEXTS = ["one", "two words", "a much longer text " * 30, "naïve café ❤️", "two words"]
# Servers count texts together, and have answers of their own to no text at all, and to one that is
# too long for them.
local = pytest.mark.parametrize("running", LOCAL_KINDS, indirect=True)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=KINDS)
async def running(request: pytest.FixtureRequest) -> AsyncIterator[AnyRunning]:
    async with launched_embedder_kind(request.param) as embedder:
        yield embedder


@pytest_asyncio.fixture(loop_scope="module", params=KINDS)
async def doomed(request: pytest.FixtureRequest) -> AsyncIterator[AnyRunning]:
    async with launched_embedder_kind(request.param, SLOW_ECHO_EMBEDDER) as embedder:
        yield embedder


async def test_each_text_gets_a_vector_of_length_one(running: AnyRunning):
    embeddings = await running.engine.embed(TEXTS)
    assert len(embeddings) == len(TEXTS)
    for embedding in embeddings:
        assert len(embedding.values) == 384
        assert math.hypot(*embedding.values) == pytest.approx(1, abs=1e-6)


@local
async def test_no_text_has_a_vector_as_well(running: AnyRunning):
    (embedding,) = await running.engine.embed([""])
    assert len(embedding.values) == 384


async def test_a_text_has_the_same_vector_alone_and_beside_others(running: AnyRunning):
    together = await running.engine.embed(TEXTS)
    for text, beside_others in zip(TEXTS, together, strict=True):
        (alone,) = await running.engine.embed([text])
        assert list(alone.values) == pytest.approx(list(beside_others.values), abs=TOLERANCE)


@local
async def test_a_text_has_as_many_tokens_alone_as_beside_others(running: AnyRunning):
    for text, beside_others in zip(TEXTS, await running.engine.embed(TEXTS), strict=True):
        (alone,) = await running.engine.embed([text])
        assert alone.tokens == beside_others.tokens


async def test_vectors_come_in_the_order_of_the_texts(running: AnyRunning):
    forth = await running.engine.embed(TEXTS)
    back = await running.engine.embed(TEXTS[::-1])
    for one, other in zip(forth, back[::-1], strict=True):
        assert list(one.values) == pytest.approx(list(other.values), abs=TOLERANCE)


@local
async def test_a_longer_text_has_more_tokens_up_to_the_limit(running: AnyRunning):
    short, longer, endless = await running.engine.embed(["one", "one two three", "word " * 5000])
    assert short.tokens < longer.tokens < endless.tokens == 256
    assert (short.was_cut, longer.was_cut, endless.was_cut) == (False, False, True)


@local
async def test_what_is_beyond_the_limit_changes_nothing(running: AnyRunning):
    one, other = await running.engine.embed(["word " * 300 + "a", "word " * 300 + "b c d"])
    assert list(one.values) == list(other.values)


async def test_no_texts_are_no_vectors(running: AnyRunning):
    assert await running.engine.embed([]) == []


async def test_calls_may_overlap(running: AnyRunning):
    answers = await asyncio.gather(*(running.engine.embed([text] * 3) for text in TEXTS))
    for text, answer in zip(TEXTS, answers, strict=True):
        (alone,) = await running.engine.embed([text])
        assert len(answer) == 3
        assert list(answer[0].values) == pytest.approx(list(alone.values), abs=TOLERANCE)


async def test_a_call_fails_when_its_embedder_dies(doomed: AnyRunning):
    async def embed() -> None:
        with pytest.raises(GONE):
            await doomed.engine.embed(["a long text " * 80] * 2000)

    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        calls = [group.create_task(embed()) for _ in range(3)]
        await asyncio.sleep(0)
        assert not any(call.done() for call in calls)
        doomed.kill()
        await doomed.wait_for_death()


async def test_a_dead_embedder_answers_nothing_more(doomed: AnyRunning):
    doomed.kill()
    await doomed.wait_for_death()
    with pytest.raises(GONE):
        await doomed.engine.embed(["text"])


async def test_a_closed_embedder_answers_nothing_more(doomed: AnyRunning):
    await doomed.engine.close()
    with pytest.raises(GONE):
        await doomed.engine.embed(["text"])


@pytest.mark.model
async def test_a_server_with_the_same_model_makes_the_same_vectors():
    async with (
        launched_embedder_kind("onnx_embedder") as local,
        launched_embedder_kind("openai_server") as remote,
    ):
        here, there = await local.engine.embed(TEXTS), await remote.engine.embed(TEXTS)
    for one, other in zip(here, there, strict=True):
        assert cosine(one.values, other.values) > 0.9999
    assert sum(each.tokens for each in here) == sum(each.tokens for each in there)
