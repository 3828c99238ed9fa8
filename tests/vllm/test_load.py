"""A real vLLM's own figures, and the marks of requests that it shares among projects and calls."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from google import genai

from support.api.local_server import LocalServer, client_of
from support.engines.running_vllm import MODEL, RunningVllm
from support.waiting import eventually
from toplu.engines.http.load import ServerLoad, Software
from toplu.engines.openai.engine import OpenaiEngine
from toplu.engines.prompt import Prompt, Sampling, Turn
from toplu.settings.remote import RemoteSettings, ServerSettings

pytestmark = pytest.mark.vllm

BLOCK_TOKENS = 128  # of vLLM on a CPU
GROUPS, EACH = 3, 6
WAITING = 24  # beside eight seats
PASSAGE = "The harbour has a keeper with {} keys, who opens door {} every morning. " * 40


@asynccontextmanager
async def engine_of(vllm: RunningVllm) -> AsyncIterator[OpenaiEngine]:
    server = ServerSettings(url=f"{vllm.url}/v1", model=MODEL)
    engine = OpenaiEngine.connect(server, RemoteSettings(), 600.0)
    try:
        yield engine
    finally:
        await engine.close()


def asking(text: str, tokens: int = 1, **marks: Any) -> Prompt:
    sampling = Sampling(temperature=0.0, top_p=1.0, top_k=0, output_tokens_max=tokens)
    return Prompt(turns=(Turn("user", text),), sampling=sampling, **marks)


async def load_of(engine: OpenaiEngine) -> ServerLoad:
    load = await engine.load()
    assert load is not None
    return load


def passage(keys: int) -> str:
    return PASSAGE.replace("{}", str(keys))


async def test_it_tells_its_memory_and_that_it_keeps_prefixes(plain_vllm: RunningVllm) -> None:
    async with engine_of(plain_vllm) as engine:
        load = await load_of(engine)
    assert load.software is Software.VLLM
    assert load.memory_tokens
    assert load.memory_tokens % BLOCK_TOKENS == 0
    assert load.keeps_prefixes


async def test_a_prefix_is_reused_by_its_own_project_alone(plain_vllm: RunningVllm) -> None:
    """Also says that this vLLM takes the salt, and tells nobody what it reused."""
    prompt = passage(random.SystemRandom().randrange(10**6))
    reused = []
    async with engine_of(plain_vllm) as engine:
        before = await load_of(engine)
        for project in ("a", "b", "a"):
            answer = await engine.generate(asking(prompt, project=project), 0)
            assert answer.cached_tokens == 0
            after = await load_of(engine)
            reused.append(after.tokens_from_cache - before.tokens_from_cache)
            before = after
        assert "cache_salt" in engine.marks.taken(engine.figures.software)
    assert reused[:2] == [0, 0]
    assert reused[2] >= BLOCK_TOKENS


async def test_what_was_reused_is_told_where_it_is_to_be(calling_vllm: RunningVllm) -> None:
    prompt = passage(random.SystemRandom().randrange(10**6))
    async with engine_of(calling_vllm) as engine:
        answers = [await engine.generate(asking(prompt), 0) for _ in range(2)]
    assert [bool(answer.cached_tokens) for answer in answers] == [False, True]


async def test_a_call_goes_before_the_requests_of_batches_that_wait(
    calling_vllm: RunningVllm,
) -> None:
    async with engine_of(calling_vllm) as engine, asyncio.TaskGroup() as tasks:
        await load_of(engine)
        batch = [
            tasks.create_task(
                engine.generate(asking(f"Tell story {number}.", 48, is_urgent=False), 0)
            )
            for number in range(WAITING)
        ]
        while (await load_of(engine)).waiting < WAITING // 2:
            await asyncio.sleep(0)
        await engine.generate(asking("Say hello."), 0)
        assert sum(task.done() for task in batch) < WAITING // 2
        assert "priority" in engine.marks.taken(engine.figures.software)


def test_a_batch_reuses_what_its_lines_share(plain: LocalServer, plain_vllm: RunningVllm) -> None:
    seed = random.SystemRandom().randrange(10**6)
    texts = [
        f"{passage(1000 * seed + group)}\nQuestion {number}: how many keys?"
        for group in range(GROUPS)
        for number in range(EACH)
    ]
    random.Random(1).shuffle(texts)
    config = {"temperature": 0, "maxOutputTokens": 2}
    lines = [{"contents": text, "config": config} for text in texts]
    client = client_of(plain)
    before, tokens = _reused(plain_vllm), _tokens_of(client, passage(1000 * seed))
    job = client.batches.create(model="gemini-2.5-flash", src=lines)  # type: ignore[arg-type]
    eventually(lambda: client.batches.get(name=str(job.name)).done)
    shared = tokens // BLOCK_TOKENS * BLOCK_TOKENS - BLOCK_TOKENS
    assert _reused(plain_vllm) - before >= 0.9 * GROUPS * (EACH - 1) * shared


def _reused(vllm: RunningVllm) -> int:
    async def read() -> int:
        async with engine_of(vllm) as engine:
            return (await load_of(engine)).tokens_from_cache

    return asyncio.run(read())


def _tokens_of(client: genai.Client, text: str) -> int:
    counted = client.models.count_tokens(model="gemini-2.5-flash", contents=text)
    assert counted.total_tokens is not None
    return counted.total_tokens
