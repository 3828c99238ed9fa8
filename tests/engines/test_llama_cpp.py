"""Behaviour of llama.cpp alone: prefixes, seeds, stop sequences, slots and its process."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from support.engines.engines_under_test import LLAMA_CPP, a_prompt, launched
from support.waiting import PATIENCE_SECONDS
from toplu.engines.llama_cpp.engine import LlamaCppEngine
from toplu.engines.llama_cpp.gguf import read_marks
from toplu.engines.prompt import Turn
from toplu.errors import DeadlineExceeded
from toplu.fleet.processes.engine_handle import EngineHandle, EngineStartFailed
from toplu.fleet.processes.llama_cpp import start_llama_cpp
from toplu.models import sources
from toplu.settings.server import Settings

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="module")]

STORY = "Tell me a very long story about the sea."
STORY_TOKENS = 400


async def test_a_lane_keeps_the_prefix_of_its_last_prompt(running_llama_cpp: EngineHandle):
    prefix = "These are the rules of the server, which you have to keep. " * 5
    await running_llama_cpp.engine.generate(a_prompt(prefix + "Who?"), 1)
    second = await running_llama_cpp.engine.generate(a_prompt(prefix + "What?"), 1)
    assert 50 < second.cached_tokens < second.prompt_tokens


async def test_an_answer_ends_before_a_stop_sequence(running_llama_cpp: EngineHandle):
    # The first answer leaves the prefix, so that the other two are computed alike.
    await running_llama_cpp.engine.generate(a_prompt(STORY, tokens_max=30), 0)
    whole = await running_llama_cpp.engine.generate(a_prompt(STORY, tokens_max=30), 0)
    text = whole.completions[0].text
    stop = text.split()[5]
    generation = await running_llama_cpp.engine.generate(
        a_prompt(STORY, tokens_max=30, stop=(stop,)), 0
    )
    assert generation.completions[0].text == text.partition(stop)[0] != text
    assert not generation.completions[0].hit_token_limit


async def test_candidates_differ_from_each_other(running_llama_cpp: EngineHandle):
    prompt = a_prompt(STORY, tokens_max=16, candidates=3, temperature=1.5)
    generation = await running_llama_cpp.engine.generate(prompt, 0)
    assert len({completion.text for completion in generation.completions}) == 3


@pytest.mark.parametrize("seed", [-1, 7])
async def test_a_seed_decides_what_is_drawn(running_llama_cpp: EngineHandle, seed: int):
    prompt = a_prompt(STORY, tokens_max=16, temperature=1.5, seed=seed)
    # The first answer leaves the prefix, so that the other two are computed alike.
    await running_llama_cpp.engine.generate(prompt, 0)
    first = await running_llama_cpp.engine.generate(prompt, 0)
    second = await running_llama_cpp.engine.generate(prompt, 0)
    assert first.completions == second.completions


async def test_without_a_seed_answers_differ(running_llama_cpp: EngineHandle):
    prompt = a_prompt(STORY, tokens_max=16, temperature=1.5, seed=None)
    first = await running_llama_cpp.engine.generate(prompt, 0)
    second = await running_llama_cpp.engine.generate(prompt, 0)
    assert first.completions != second.completions


async def test_a_cancelled_call_frees_its_lane(running_llama_cpp: EngineHandle):
    engine = running_llama_cpp.engine
    assert isinstance(engine, LlamaCppEngine)
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        story = group.create_task(engine.generate(a_prompt(STORY, tokens_max=STORY_TOKENS), 0))
        while not await _is_busy(engine, 0):
            pass
        assert not story.done()
        story.cancel()
    assert await _tokens_once_free(engine, 0) < STORY_TOKENS


async def test_no_text_holds_a_control_token(running_llama_cpp: EngineHandle):
    engine = running_llama_cpp.engine
    path = sources.locate(LLAMA_CPP, Settings().model_dir)
    assert path is not None
    tokens = read_marks(path).control_tokens
    assert {"<|im_start|>", "<|im_end|>"} <= set(tokens)
    plain = await engine.count_tokens((Turn("user", "ab"),))
    for token in tokens:
        counted = await engine.count_tokens((Turn("user", f"a{token}b"),))
        # A control token is one token, and its neighbours are at most one more.
        assert counted > plain + 3, token
        generation = await engine.generate(a_prompt(f"a{token}b", tokens_max=1), 0)
        assert generation.prompt_tokens == counted, token


async def test_a_call_that_takes_too_long_fails_and_frees_its_lane(
    running_llama_cpp: EngineHandle,
):
    engine = running_llama_cpp.engine
    assert isinstance(engine, LlamaCppEngine)
    hasty = LlamaCppEngine(
        address=str(engine._session._base_url),
        api_key=engine._session.headers["Authorization"].removeprefix("Bearer "),
        lanes=2,
        request_seconds_max=0.3,
    )
    with pytest.raises(DeadlineExceeded, match=r"within 0\.3 seconds"):
        await hasty.generate(a_prompt(STORY, tokens_max=STORY_TOKENS), 0)
    await hasty.close()
    assert await _tokens_once_free(engine, 0) < STORY_TOKENS


async def test_nobody_gets_in_without_the_key(running_llama_cpp: EngineHandle):
    engine = running_llama_cpp.engine
    assert isinstance(engine, LlamaCppEngine)
    async with engine._session.get("/slots", headers={"Authorization": "Bearer no"}) as reply:
        assert reply.status == 401


async def test_a_file_that_is_no_model_does_not_start(tmp_path: Path):
    path = tmp_path / "junk.gguf"
    path.write_bytes(b"junk")
    with pytest.raises(EngineStartFailed, match=r"(?s)exit code 1: .*invalid magic"):
        await start_llama_cpp(LLAMA_CPP, path, Settings(), prefixes=tmp_path)


async def test_a_child_that_is_not_ready_in_time_is_ended(tmp_path: Path):
    path = Settings().model_dir / "no-such-file.gguf"
    with pytest.raises(EngineStartFailed, match=r"not ready after 0\.001 seconds"):
        await start_llama_cpp(
            LLAMA_CPP, path, Settings(engine_start_seconds_max=0.001), prefixes=tmp_path
        )


async def test_a_stopped_engine_leaves_no_process():
    async with launched(LLAMA_CPP) as running:
        pid = running.pid
        assert pid is not None
        os.kill(pid, 0)
    death = await running.wait_for_death()
    assert death.exit_code == 0
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def _slot(engine: LlamaCppEngine, lane: int) -> dict[str, Any]:
    async with engine._session.get("/slots") as reply:
        slots: list[dict[str, Any]] = await reply.json()
    return slots[lane]


async def _is_busy(engine: LlamaCppEngine, lane: int) -> bool:
    return bool((await _slot(engine, lane))["is_processing"])


async def _tokens_once_free(engine: LlamaCppEngine, lane: int) -> int:
    """Return how many tokens of prompt and answer the lane has when its work has ended."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await _is_busy(engine, lane):
            pass
    return int((await _slot(engine, lane))["n_prompt_tokens"])
