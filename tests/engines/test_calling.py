"""Every engine's promise of functions: whole calls of what is allowed, with valid arguments."""

import json
from typing import Any

import jsonschema
import pytest
from msgspec.structs import replace
from msgspec.structs import replace as changed

from support.engines.engines_under_test import (
    LLAMA_CPP,
    TOOLS_TEMPLATE,
    a_prompt,
    launched,
    structure_of,
)
from support.engines.function_cases import CASES, FunctionCase, functions_of
from toplu.engines.calls import CALLS_MAX, FunctionCall, FunctionResult
from toplu.engines.generation import Completion, Piece
from toplu.engines.prompt import Prompt, Thinking, Turn
from toplu.fleet.processes.engine_handle import EngineHandle

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.system]

DECLARATIONS = [case.declaration for case in CASES]
TWO = DECLARATIONS[:2]
SCHEMAS = {case.name: case.json_schema for case in CASES}
HISTORY = (
    Turn("user", "What is the weather in Oslo?"),
    Turn("assistant", "", (FunctionCall(name="get_weather", arguments={"city": "Oslo"}, id="1"),)),
    Turn(
        "user",
        "",
        results=(FunctionResult(name="get_weather", response={"result": "3 degrees"}, id="1"),),
    ),
    Turn("assistant", "The weather in Oslo is 3 degrees."),
)


def calling(text: str, declarations: list[Any], *, tokens_max: int = 64, **config: Any) -> Prompt:
    prompt = a_prompt(text, tokens_max=tokens_max, temperature=0.7)
    return replace(prompt, functions=functions_of(declarations, **config))


def check(completion: Completion, *allowed: str) -> None:
    """Check that the answer is calls, each of an allowed function and valid."""
    assert completion.text == ""
    assert 1 <= len(completion.calls) <= CALLS_MAX
    assert not completion.broken_call  # that it is cut off at the limit is another thing
    for call in completion.calls:
        assert call.name in allowed
        validator = jsonschema.Draft202012Validator(SCHEMAS[call.name])
        validator.validate(call.arguments)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_a_call_that_has_to_be_made_is_of_an_allowed_function_and_valid(
    running: EngineHandle, case: FunctionCase
):
    declarations = [case.declaration, CASES[1].declaration][: 1 + (case != CASES[1])]
    prompt = calling(case.question, declarations, mode="ANY", allowedFunctionNames=[case.name])
    (completion,) = (await running.engine.generate(prompt, 0)).completions
    if completion.calls or not completion.hit_token_limit:
        check(completion, case.name)


async def test_every_candidate_and_every_lane_calls(running: EngineHandle):
    prompt = calling(CASES[1].question, [CASES[1].declaration], tokens_max=32, mode="ANY")
    prompt = replace(prompt, candidate_count=2)
    for lane in range(running.engine.lanes):
        generation = await running.engine.generate(prompt, lane)
        assert len(generation.completions) == 2
        for completion in generation.completions:
            check(completion, CASES[1].name)


@pytest.mark.parametrize("mode", ["AUTO", "VALIDATED"])
async def test_where_no_call_has_to_be_made_text_is_an_answer(running: EngineHandle, mode: str):
    prompt = calling("Say hello to me.", TWO, tokens_max=8, mode=mode)
    (completion,) = (await running.engine.generate(prompt, 0)).completions
    assert completion.text
    assert completion.calls == ()


async def test_half_a_call_is_no_call(running: EngineHandle):
    for tokens_max in (1, 2):
        prompt = calling("What?", DECLARATIONS[2:3], tokens_max=tokens_max, mode="ANY")
        (completion,) = (await running.engine.generate(prompt, 0)).completions
        assert completion.hit_token_limit
        assert (completion.text, completion.calls) == ("", ())


async def test_a_listener_hears_the_text_and_no_call(running: EngineHandle):
    async def pieces_of(prompt: Prompt) -> tuple[str, Completion]:
        pieces: list[Piece] = []

        async def listen(piece: Piece) -> None:
            pieces.append(piece)

        (completion,) = (await running.engine.generate(prompt, 0, listen)).completions
        return "".join(piece.text for piece in pieces), completion

    told, completion = await pieces_of(calling("Which?", TWO, mode="ANY"))
    assert told == ""
    check(completion, *(each["name"] for each in TWO))
    told, completion = await pieces_of(calling("Say hello to me.", TWO, tokens_max=8))
    assert completion.text.startswith(told) != (told == "")


async def test_the_functions_and_the_history_are_a_part_of_the_prompt(running: EngineHandle):
    turns = (*HISTORY, Turn("user", "And in Paris?"))
    prompt = replace(calling("", TWO, tokens_max=4), turns=turns)
    generation = await running.engine.generate(prompt, 0)
    counted = await running.engine.count_tokens(turns, prompt.functions)
    assert counted == generation.prompt_tokens
    assert await running.engine.count_tokens(turns) < counted
    assert await running.engine.count_tokens(HISTORY[:3]) > await running.engine.count_tokens(
        HISTORY[:1]
    )


@pytest.mark.model
async def test_a_model_calls_as_the_conversation_shows_and_reads_what_came_of_it(
    running_llama_cpp: EngineHandle,
):
    declaration = {
        "name": "get_weather",
        "parameters": {
            "type": "OBJECT",
            "properties": {"city": {"type": "STRING"}},
            "required": ["city"],
        },
    }
    asked = Turn("user", "What is the weather in Paris?")
    prompt = replace(a_prompt("", tokens_max=48), functions=functions_of([declaration]))
    prompt = replace(prompt, turns=(*HISTORY, asked))
    (completion,) = (await running_llama_cpp.engine.generate(prompt, 0)).completions
    assert completion.text == ""
    (call,) = completion.calls
    assert (call.name, call.arguments) == ("get_weather", {"city": "Paris"})
    result = FunctionResult(name=call.name, response={"result": "mild and 17 degrees"}, id="2")
    turns = (*HISTORY, asked, Turn("assistant", "", (call,)), Turn("user", "", results=(result,)))
    generation = await running_llama_cpp.engine.generate(replace(prompt, turns=turns), 0)
    (completion,) = generation.completions
    assert "17 degrees" in completion.text
    assert completion.calls == ()
    assert generation.cached_tokens > 100


@pytest.mark.model
async def test_without_functions_a_model_does_not_go_on_calling(running_llama_cpp: EngineHandle):
    turns = (*HISTORY[:3], HISTORY[3], *HISTORY[:1])
    prompt = replace(a_prompt("", tokens_max=24), turns=turns)
    (completion,) = (await running_llama_cpp.engine.generate(prompt, 0)).completions
    assert completion.text
    assert "<tool_" not in completion.text
    form = structure_of({"responseMimeType": "application/json"})
    generation = await running_llama_cpp.engine.generate(replace(prompt, structure=form), 0)
    assert generation.completions[0].text[0] in "[{"


@pytest.mark.model
async def test_a_stop_sequence_within_a_call_breaks_it(running_llama_cpp: EngineHandle):
    prompt = calling("What is the weather in Paris?", TWO, mode="ANY")
    stopped = replace(prompt, sampling=replace(prompt.sampling, stop_sequences=("arguments",)))
    (completion,) = (await running_llama_cpp.engine.generate(stopped, 0)).completions
    assert (completion.text, completion.calls, completion.broken_call) == ("", (), True)


@pytest.mark.model
async def test_many_functions_do_not_hold_up_the_engine(running_llama_cpp: EngineHandle):
    declarations = [
        {"name": f"function_{number}", "parametersJsonSchema": json.loads(json.dumps(schema))}
        for number, schema in enumerate([SCHEMAS["convert"], SCHEMAS["lights.set"]] * 64)
    ]
    functions = functions_of(declarations, mode="ANY")
    # The grammar is of all, the prompt of two: the context of this engine has no room for more.
    few = replace(functions, declared=functions.declared[:2])
    prompt = replace(calling("Which?", TWO, tokens_max=24), functions=few)
    generation = await running_llama_cpp.engine.generate(prompt, 0)
    assert generation.completions[0].tokens <= 24


@pytest.mark.model
async def test_a_chat_template_that_knows_tools_changes_nothing():
    model = changed(LLAMA_CPP, chat_template=str(TOOLS_TEMPLATE), lanes=1)
    async with launched(model) as running:
        forced = calling("What is the weather in Paris?", TWO, tokens_max=40, mode="ANY")
        (completion,) = (await running.engine.generate(forced, 0)).completions
        check(completion, *(each["name"] for each in TWO))
        turns = (*HISTORY, Turn("user", "What is the weather in Paris?"))
        prompt = replace(calling("", TWO, tokens_max=40), turns=turns)
        (completion,) = (await running.engine.generate(prompt, 0)).completions
        assert completion.calls[0].name == "get_weather"


async def test_a_model_thinks_before_it_calls(thinker: EngineHandle):
    prompt = calling("Which function would you call?", TWO, tokens_max=64, mode="ANY")
    (completion,) = (
        await thinker.engine.generate(replace(prompt, thinking=Thinking(tokens_max=4)), 0)
    ).completions
    assert completion.thoughts
    check(completion, *(each["name"] for each in TWO))
