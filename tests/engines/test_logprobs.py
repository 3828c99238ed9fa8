"""The log-probabilities that every engine returns for the tokens of its answer."""

import math

import pytest
from msgspec.structs import replace

from support.engines.engines_under_test import a_prompt, structure_of
from toplu.engines.generation import Piece
from toplu.engines.prompt import Prompt
from toplu.fleet.processes.engine_handle import EngineHandle

pytestmark = pytest.mark.asyncio(loop_scope="module")

STORY = "Tell me a story about the sea, the wind and a ship."


def asking(text: str, top_logprobs: int, **values) -> Prompt:
    return replace(a_prompt(text, **values), top_logprobs=top_logprobs)


async def test_none_are_returned_unasked(running: EngineHandle):
    generation = await running.engine.generate(a_prompt(STORY), 0)
    assert generation.completions[0].steps == ()


@pytest.mark.parametrize("top_logprobs", [0, 1])
async def test_each_token_of_each_candidate_has_its_step(running: EngineHandle, top_logprobs: int):
    prompt = asking(STORY, top_logprobs, candidates=2, temperature=1.2)
    generation = await running.engine.generate(prompt, 0)
    for completion in generation.completions:
        tokens = [step.chosen.token for step in completion.steps]
        assert "".join(tokens) == completion.text
        assert len(tokens) == completion.tokens
        assert all(len(step.likeliest) == top_logprobs for step in completion.steps)
        assert all(step.chosen.logprob <= 0.0 for step in completion.steps)


async def test_a_stream_tells_the_steps_of_each_piece(running: EngineHandle):
    pieces: list[Piece] = []

    async def listen(piece: Piece) -> None:
        pieces.append(piece)

    generation = await running.engine.generate(asking(STORY, 1), 0, listen)
    told = [step for piece in pieces for step in piece.steps]
    assert tuple(told) == generation.completions[0].steps != ()


@pytest.mark.model
async def test_the_numbers_are_the_models_own_whatever_the_sampling(
    running_llama_cpp: EngineHandle,
):
    engine = running_llama_cpp.engine
    # The first answer leaves the prefix, so that the other two are computed alike.
    await engine.generate(asking(STORY, 20, tokens_max=1), 0)
    cold = await engine.generate(asking(STORY, 20, tokens_max=1), 0)
    hot = await engine.generate(asking(STORY, 20, tokens_max=1, temperature=2.0, top_k=1), 0)
    (cold_step,), (hot_step,) = (each.completions[0].steps for each in (cold, hot))
    assert cold_step == hot_step
    logprobs = [token.logprob for token in cold_step.likeliest]
    assert logprobs == sorted(logprobs, reverse=True)
    assert len(logprobs) == 20
    assert 0.5 < sum(map(math.exp, logprobs)) <= 1.0
    assert cold_step.chosen == cold_step.likeliest[0]
    assert all(token.token_id is not None for token in cold_step.likeliest)


@pytest.mark.model
async def test_text_that_was_held_back_for_a_stop_sequence_comes_with_what_follows(
    running_llama_cpp: EngineHandle,
):
    engine = running_llama_cpp.engine
    free = (await engine.generate(asking(STORY, 1, tokens_max=24), 0)).completions[0]
    word = free.text.split()[3]
    prompt = asking(STORY, 1, tokens_max=24, stop=(f"{word} and never this",))
    held = (await engine.generate(prompt, 0)).completions[0]
    assert held.text == free.text
    assert "".join(step.chosen.token for step in held.steps) == held.text
    assert len(held.steps) < len(free.steps)


@pytest.mark.model
async def test_a_structured_answer_has_steps_that_the_model_found_unlikely(
    running_llama_cpp: EngineHandle,
):
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    prompt = asking("Say something.", 1, tokens_max=30)
    prompt = replace(
        prompt,
        structure=structure_of(
            {"responseMimeType": "application/json", "responseJsonSchema": schema}
        ),
    )
    (completion,) = (await running_llama_cpp.engine.generate(prompt, 0)).completions
    assert "".join(step.chosen.token for step in completion.steps) == completion.text
    opening = completion.steps[0]
    # The grammar chose against the model, and the number is the model's.
    assert opening.chosen.token.startswith("{")
    assert opening.chosen.logprob < opening.likeliest[0].logprob
