"""The promises of every engine, whatever answers inside it."""

import asyncio

import pytest

from support.engines.engines_under_test import CONTEXT_TOKENS, GONE, a_prompt
from support.waiting import PATIENCE_SECONDS
from toplu.engines.prompt import Turn
from toplu.errors import InvalidArgument
from toplu.fleet.processes.engine_handle import EngineHandle

pytestmark = pytest.mark.asyncio(loop_scope="module")

COUNTING = "Count slowly: one, two, three, four, five, six, seven, eight, nine, ten."


async def test_the_same_question_gets_the_same_answer(running: EngineHandle):
    prompt = a_prompt("What is the capital of France?")
    first = await running.engine.generate(prompt, 0)
    second = await running.engine.generate(prompt, 0)
    assert first.completions == second.completions
    assert first.completions[0].text


async def test_every_lane_answers_at_the_same_time(running: EngineHandle):
    generations = await asyncio.gather(
        *(
            running.engine.generate(a_prompt(f"Say {lane}."), lane)
            for lane in range(running.engine.lanes)
            for _ in range(3)
        )
    )
    assert len(generations) == 3 * running.engine.lanes
    assert all(generation.completions[0].tokens > 0 for generation in generations)


async def test_an_answer_ends_at_the_token_limit(running: EngineHandle):
    generation = await running.engine.generate(a_prompt(COUNTING, tokens_max=3), 0)
    assert generation.completions[0].tokens == 3
    assert generation.completions[0].hit_token_limit


async def test_an_answer_that_ends_by_itself_hits_no_limit(running: EngineHandle):
    prompt = a_prompt("Answer with one word: what is the capital of France?", tokens_max=200)
    generation = await running.engine.generate(prompt, 0)
    assert not generation.completions[0].hit_token_limit


async def test_each_candidate_is_an_answer_to_the_one_prompt(running: EngineHandle):
    alone = await running.engine.generate(a_prompt(COUNTING), 0)
    three = await running.engine.generate(a_prompt(COUNTING, candidates=3), 1)
    assert len(three.completions) == 3
    assert three.prompt_tokens == alone.prompt_tokens


async def test_counted_tokens_are_the_prompt_tokens_of_the_answer(running: EngineHandle):
    turns = (Turn("system", "Be brief."), Turn("user", "Hi"), Turn("assistant", "Hello"))
    prompt = a_prompt("Who are you?")
    prompt = type(prompt)(turns=turns + prompt.turns, sampling=prompt.sampling)
    generation = await running.engine.generate(prompt, 0)
    assert await running.engine.count_tokens(prompt.turns) == generation.prompt_tokens


async def test_a_prompt_that_does_not_fit_is_refused(running: EngineHandle):
    with pytest.raises(InvalidArgument) as refusal:
        await running.engine.generate(a_prompt("word " * 600), 0)
    assert refusal.value.message.startswith("The input token count (6")
    assert f"exceeds the maximum number of tokens allowed ({CONTEXT_TOKENS - 1})" in str(
        refusal.value
    )


async def test_an_answer_ends_where_the_context_ends(running: EngineHandle):
    prompt = a_prompt("Repeat this: " + "the sea, " * 140, tokens_max=CONTEXT_TOKENS)
    generation = await running.engine.generate(prompt, 0)
    tokens = generation.prompt_tokens + generation.completions[0].tokens
    assert generation.completions[0].hit_token_limit
    assert tokens == CONTEXT_TOKENS


async def test_a_call_fails_when_its_engine_dies(doomed: EngineHandle):
    async def answer() -> None:
        with pytest.raises(GONE):
            await doomed.engine.generate(a_prompt("Tell me a long story.", tokens_max=400), 0)

    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        in_flight = [group.create_task(answer()) for _ in range(3)]
        # A call of another kind has gone to the engine and back: the first ones are there too.
        await doomed.engine.count_tokens((Turn("user", "Hi"),))
        assert not any(task.done() for task in in_flight)
        doomed.kill()
        await doomed.wait_for_death()


async def test_a_dead_engine_answers_nothing_more(doomed: EngineHandle):
    doomed.kill()
    await doomed.wait_for_death()
    with pytest.raises(GONE):
        await doomed.engine.generate(a_prompt("Hi"), 0)
    with pytest.raises(GONE):
        await doomed.engine.count_tokens((Turn("user", "Hi"),))


async def test_a_closed_engine_answers_nothing_more(doomed: EngineHandle):
    await doomed.engine.close()
    with pytest.raises(GONE):
        await doomed.engine.generate(a_prompt("Hi"), 0)
