"""The sampling fields of a request, as llama.cpp follows them."""

from collections import Counter
from typing import Any

import pytest

from support.engines.engines_under_test import a_prompt
from toplu.engines.generation import Piece
from toplu.engines.llama_cpp.engine import LlamaCppEngine
from toplu.fleet.processes.engine_handle import EngineHandle

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="module")]

RULES = "These are the rules of the server, which you have to keep. " * 8
REPEATING = "Repeat after me, as often as you can: the sea, the sea, the sea, the sea, the sea."


async def test_candidates_compute_the_prompt_once(running_llama_cpp: EngineHandle) -> None:
    engine = running_llama_cpp.engine
    assert isinstance(engine, LlamaCppEngine)
    await engine.generate(a_prompt("Something else, so that nothing is left."), 0)
    computed: dict[int, int] = {}

    async def look(piece: Piece) -> None:
        if piece.index not in computed:
            async with engine._session.get("/slots") as reply:
                slot: dict[str, Any] = (await reply.json())[0]
            computed[piece.index] = slot["n_prompt_tokens_processed"]

    prompt = a_prompt(f"{RULES}Who are you?", candidates=4, temperature=1.0)
    generation = await engine.generate(prompt, 0, look)
    first, *others = (computed[index] for index in range(4))
    assert first == generation.prompt_tokens - generation.cached_tokens > 100
    # The last token is read again, for it gives what the first of the answer is drawn from.
    assert others == [1, 1, 1]


@pytest.mark.parametrize("penalty", ["frequency_penalty", "presence_penalty"])
async def test_a_penalty_makes_words_come_less_often(
    running_llama_cpp: EngineHandle, penalty: str
) -> None:
    async def most_of_one_word(**sampling: float) -> int:
        prompt = a_prompt(REPEATING, tokens_max=48, **sampling)
        (completion,) = (await running_llama_cpp.engine.generate(prompt, 1)).completions
        return Counter(completion.text.split()).most_common(1)[0][1]

    free = await most_of_one_word()
    assert await most_of_one_word(**{penalty: 2.0}) < free
