"""A finished answer is proved, asked for again within the bound, and never passed off as valid."""

from typing import Any

import pytest
from msgspec.structs import replace

from support.engines.engines_under_test import a_prompt, structure_of
from support.engines.function_cases import functions_of
from toplu.engines.calls import FunctionCall
from toplu.engines.generation import Completion, Generation
from toplu.engines.prompt import Prompt
from toplu.engines.translation.answer import write_answer
from toplu.fleet.adapters.further_attempt import TEMPERATURE_AGAIN
from toplu.fleet.adapters.valid_answer import generate_valid
from toplu.settings.server import ModelSettings
from toplu.wire.gemini.content import FinishReason

pytestmark = pytest.mark.asyncio
SCHEMA = {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}
CONFIG = {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA}
WRONG, RIGHT = "[1, 1]", "[1, 2]"
MODEL = ModelSettings(name="m", engine="echo")


class Scripted:
    """An engine that answers with these completions, in their order, and keeps its prompts."""

    def __init__(self, *completions: Completion) -> None:
        self._completions = list(completions)
        self.prompts: list[Prompt] = []

    async def generate(self, prompt: Prompt, lane: int, listener: Any = None) -> Generation:  # noqa: ARG002
        self.prompts.append(prompt)
        count = prompt.candidate_count
        taken, self._completions = self._completions[:count], self._completions[count:]
        return Generation(completions=tuple(taken), prompt_tokens=10, cached_tokens=1)


def said(text: str, **fields: Any) -> Completion:
    return Completion(text=text, tokens=4, hit_token_limit=False, **fields)


def prompt_of(**values: Any) -> Prompt:
    return replace(a_prompt("q", tokens_max=7, **values), structure=structure_of(CONFIG))


async def answer(prompt: Prompt, *completions: Completion, attempts_max: int = 3) -> Any:
    engine: Any = Scripted(*completions)
    generation = await generate_valid(engine, prompt, 0, None, attempts_max=attempts_max)
    return engine, write_answer(generation, MODEL)


async def test_a_valid_answer_is_asked_for_once() -> None:
    engine, response = await answer(prompt_of(), said(RIGHT))
    assert len(engine.prompts) == 1
    (candidate,) = response.candidates
    assert (candidate.finish_reason, candidate.finish_message) == (FinishReason.STOP, None)


async def test_a_broken_answer_is_asked_for_again_and_its_tokens_count() -> None:
    engine, response = await answer(prompt_of(seed=None), said(WRONG), said(RIGHT))
    first, again = engine.prompts
    assert first.sampling.temperature == 0
    assert again.sampling.temperature == TEMPERATURE_AGAIN
    assert again.sampling.seed is not None
    assert again.sampling.output_tokens_max == 7
    assert "`uniqueItems` at $" in again.turns[-1].text
    (candidate,) = response.candidates
    assert candidate.content.parts[0].text == RIGHT
    assert candidate.finish_reason == FinishReason.STOP
    usage = response.usage_metadata
    assert (usage.prompt_token_count, usage.candidates_token_count) == (20, 8)
    assert (usage.total_token_count, usage.cached_content_token_count) == (28, 2)


async def test_an_answer_costs_what_its_last_attempt_used() -> None:
    engine: Any = Scripted(said(WRONG), said(WRONG), said(RIGHT))
    generation = await generate_valid(engine, prompt_of(), 0, None, attempts_max=3)
    assert [each.prompt_tokens for each in generation.discarded] == [10, 10]
    assert [each.completions[0].text for each in generation.attempts] == [WRONG, WRONG, RIGHT]
    assert not any(each.discarded for each in generation.discarded)


async def test_each_attempt_has_a_seed_of_its_own_and_keeps_a_temperature() -> None:
    engine, _ = await answer(prompt_of(seed=5, temperature=1.0), *[said(WRONG)] * 3)
    assert len({each.sampling.seed for each in engine.prompts}) == 3
    assert {each.sampling.temperature for each in engine.prompts} == {1.0}


async def test_the_last_of_the_attempts_says_what_is_broken() -> None:
    engine, response = await answer(prompt_of(), *[said(WRONG)] * 5, attempts_max=2)
    assert len(engine.prompts) == 2
    (candidate,) = response.candidates
    assert candidate.finish_reason == FinishReason.OTHER
    assert candidate.finish_message == "The answer does not validate: `uniqueItems` at $."


async def test_only_the_broken_candidate_is_asked_for_again() -> None:
    prompt = prompt_of(candidates=2)
    engine, response = await answer(prompt, said(RIGHT), said(WRONG), said("[3]"))
    assert [each.candidate_count for each in engine.prompts] == [2, 1]
    assert [each.content.parts[0].text for each in response.candidates] == [RIGHT, "[3]"]
    assert response.usage_metadata.candidates_token_count == 12


async def test_an_answer_at_the_limit_of_its_tokens_is_not_finished() -> None:
    cut = Completion(text="[1, ", tokens=4, hit_token_limit=True)
    engine, response = await answer(prompt_of(), cut)
    assert len(engine.prompts) == 1
    assert response.candidates[0].finish_reason == FinishReason.MAX_TOKENS


async def test_arguments_are_proved_as_answers_are() -> None:
    functions = functions_of([{"name": "f", "parametersJsonSchema": {"properties": {"a": SCHEMA}}}])
    prompt = replace(a_prompt("q"), functions=functions)
    wrong = said("", calls=(FunctionCall(name="f", arguments={"a": [1, 1]}),))
    right = said("", calls=(FunctionCall(name="f", arguments={"a": [1]}),))
    engine, response = await answer(prompt, wrong, right)
    assert "`uniqueItems` at $.a" in engine.prompts[1].turns[-1].text
    assert response.candidates[0].content.parts[0].function_call.args == {"a": [1]}
    _, response = await answer(prompt, wrong, attempts_max=1)
    (candidate,) = response.candidates
    assert candidate.finish_reason == FinishReason.MALFORMED_FUNCTION_CALL
    assert "`uniqueItems` at $.a" in candidate.finish_message
