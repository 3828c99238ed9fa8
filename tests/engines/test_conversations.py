"""Conversations of several agents at once keep their own past, on real llama.cpp."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec.structs import replace

from support.engines.engines_under_test import LANES, LLAMA_CPP, a_prompt
from toplu.engines.llama_cpp.engine import LlamaCppEngine
from toplu.engines.prompt import Turn
from toplu.fleet.processes.launch import launch_of
from toplu.settings.server import Settings

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="module"), pytest.mark.system]

AGENTS = 2 * LANES + 1
HOPS = 3
STORY = "The weather at sea was fine that year, and the herring were many. "


@pytest_asyncio.fixture(loop_scope="module")
async def engine(tmp_path: Path) -> AsyncIterator[LlamaCppEngine]:
    running = await launch_of(LLAMA_CPP, Settings(data_dir=tmp_path), tmp_path / "prefixes")()
    assert isinstance(running.engine, LlamaCppEngine)
    yield running.engine
    await running.stop()


async def converse(engine: LlamaCppEngine, agent: int) -> tuple[int, int]:
    """Return how many tokens of its past a conversation found, and how many there were."""
    turns = [Turn("user", f"Agent {agent}: {STORY * (3 + agent % 2)}"), Turn("assistant", "Yes.")]
    found = past = before = 0
    for hop in range(HOPS):
        turns.append(Turn("user", f"Say the word {hop}."))
        prompt = replace(a_prompt("", tokens_max=4), turns=tuple(turns))
        answer = await engine.generate(prompt, (agent + hop) % LANES)
        if hop:
            found += min(before, answer.cached_tokens)
            past += before
        before = answer.prompt_tokens
        turns.append(Turn("assistant", answer.completions[0].text))
    return found, past


async def test_agents_find_their_own_past_whatever_lane_they_come_to(
    engine: LlamaCppEngine,
) -> None:
    done = await asyncio.gather(*(converse(engine, agent) for agent in range(AGENTS)))
    found, past = (sum(column) for column in zip(*done, strict=True))
    assert past > AGENTS * 2 * 40
    assert found / past >= 0.97
