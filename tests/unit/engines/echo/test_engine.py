import asyncio

import pytest
from msgspec.structs import replace

from support.engines.function_cases import functions_of
from support.waiting import PATIENCE_SECONDS
from toplu.engines.echo.engine import EchoEngine
from toplu.engines.engine import EngineDied
from toplu.engines.generation import Completion
from toplu.engines.prompt import Image, Prompt, Sampling, Turn
from toplu.errors import ConfigurationError, Internal
from toplu.settings.server import EchoSettings, ModelSettings
from toplu.structured.bounds import SchemaBounds
from toplu.structured.response_format import read_structure
from toplu.wire.gemini.content import GenerationConfig


def an_engine(*, lanes: int = 1, **echo) -> EchoEngine:
    return EchoEngine(
        ModelSettings(name="echo", engine="echo", lanes=lanes, echo=EchoSettings(**echo))
    )


def a_prompt(text: str, *, tokens_max: int = 100) -> Prompt:
    return Prompt(
        turns=(Turn("user", "first"), Turn("assistant", "second"), Turn("user", text)),
        sampling=Sampling(temperature=0, top_p=1, top_k=0, output_tokens_max=tokens_max),
    )


async def test_the_last_user_text_comes_back_as_it_is():
    generation = await an_engine().generate(a_prompt(" two  words\n"), 0)
    assert generation.completions == (
        Completion(text=" two  words\n", tokens=2, hit_token_limit=False),
    )
    assert (generation.prompt_tokens, generation.cached_tokens) == (4, 0)


async def test_an_image_comes_back_as_its_type_and_its_size():
    image = Image(media_type="image/png", width=640, height=480, data=b"")
    prompt = a_prompt("")
    shown = (*prompt.turns[:2], Turn("user", ("What is", image)))
    generation = await an_engine().generate(replace(prompt, turns=shown), 0)
    assert generation.completions[0].text == "What is\n<image/png:640x480>"
    assert generation.prompt_tokens == await an_engine().count_tokens(shown) == 5
    assert await an_engine().count_image_tokens(shown) == 1


async def test_a_long_text_is_cut_at_a_word():
    generation = await an_engine().generate(a_prompt("one  two three", tokens_max=2), 0)
    assert generation.completions == (Completion(text="one  two", tokens=2, hit_token_limit=True),)


async def test_a_text_that_meets_the_fail_pattern_fails_alone():
    engine = an_engine(fail_pattern="ba+d")
    with pytest.raises(Internal):
        await engine.generate(a_prompt("very baaad"), 0)
    assert (await engine.generate(a_prompt("good"), 0)).completions[0].text == "good"


async def test_a_text_that_meets_the_crash_pattern_takes_the_others_down():
    engine = an_engine(lanes=2, delay_seconds=600, crash_pattern="boom")

    async def fail(text: str, lane: int) -> None:
        with pytest.raises(EngineDied):
            await engine.generate(a_prompt(text), lane)

    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        for text, lane in (("running", 0), ("waiting", 0), ("boom", 1)):
            group.create_task(fail(text, lane))
    await fail("later", 0)


async def test_a_cancelled_call_frees_its_lane():
    engine = an_engine(delay_seconds=600, crash_pattern="boom")
    async with asyncio.timeout(PATIENCE_SECONDS):
        async with asyncio.TaskGroup() as group:
            running = group.create_task(engine.generate(a_prompt("long"), 0))
            await asyncio.sleep(0)
            running.cancel()
        # It crashes only once it has the lane.
        with pytest.raises(EngineDied):
            await engine.generate(a_prompt("boom"), 0)


async def test_an_answer_of_some_form_is_the_smallest_that_there_is():
    config = GenerationConfig(
        response_mime_type="application/json",
        response_json_schema={"type": "array", "items": {"type": "integer"}, "minItems": 3},
    )
    prompt = replace(a_prompt("ignored"), structure=read_structure(config, SchemaBounds()))
    generation = await an_engine().generate(prompt, 0)
    assert generation.completions == (
        Completion(text="[0, 0, 0]", tokens=3, hit_token_limit=False),
    )


async def test_a_call_whose_arguments_are_not_found_is_broken():
    endless = {"type": "string", "pattern": r"^a:.+\.bcd?$"}
    parameters = {"type": "object", "properties": {"a": endless}, "required": ["a"]}
    functions = functions_of([{"name": "f", "parametersJsonSchema": parameters}])
    asked = replace(a_prompt("call f"), functions=functions)
    (completion,) = (await an_engine().generate(asked, lane=0)).completions
    assert (completion.broken_call, completion.calls) == (True, ())


def test_a_pattern_that_is_none_is_named():
    with pytest.raises(ConfigurationError, match=r"`\(` is no regular expression"):
        an_engine(fail_pattern="(")
