"""The promises of every engine that sees images, whatever reads them inside it."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from support.engines.engines_under_test import GONE, LLAMA_CPP, a_prompt, launched
from support.image_files import BLUE, GREEN, RED, image_of
from toplu.engines.prompt import Image, Prompt, Turn
from toplu.errors import ConfigurationError, InvalidArgument
from toplu.fleet.processes.engine_handle import EngineHandle, EngineStartFailed

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUESTION = "What do you see?"


def an_image(form: str = "PNG", colour: tuple[int, int, int] = RED) -> Image:
    data = image_of(form, (64, 48), colour)
    return Image(media_type=f"image/{form.lower()}", width=64, height=48, data=data)


def showing(*parts: str | Image, tokens_max: int = 8) -> Prompt:
    return replace(a_prompt("", tokens_max=tokens_max), turns=(Turn("user", parts),))


async def test_a_picture_is_answered_the_same_each_time(seeing: EngineHandle):
    prompt = showing(an_image(), QUESTION)
    first = await seeing.engine.generate(prompt, 0)
    second = await seeing.engine.generate(prompt, 0)
    assert first.completions == second.completions
    assert first.completions[0].text


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
async def test_counted_tokens_are_the_prompt_tokens_of_the_answer(seeing: EngineHandle, form: str):
    prompt = showing("Look:", an_image(form), "and", an_image(form, BLUE), QUESTION)
    generation = await seeing.engine.generate(prompt, 0)
    assert await seeing.engine.count_tokens(prompt.turns) == generation.prompt_tokens


async def test_the_tokens_of_images_are_counted_apart(seeing: EngineHandle):
    engine = seeing.engine
    one = await engine.count_image_tokens(showing(an_image(), QUESTION).turns)
    assert one
    turns = (Turn("user", ("a", an_image())), Turn("assistant", "b"), Turn("user", (an_image(),)))
    assert await engine.count_image_tokens(turns) == 2 * one
    # What is left is what the texts take by themselves.
    tokens = await engine.count_tokens(showing(an_image(), QUESTION).turns)
    assert tokens - one == await engine.count_tokens((Turn("user", QUESTION),))


async def test_every_lane_looks_at_the_same_time(seeing: EngineHandle):
    engine = seeing.engine
    generations = await asyncio.gather(
        *(
            engine.generate(showing(f"{lane}", an_image(colour=colour), QUESTION), lane)
            for lane in range(engine.lanes)
            for colour in (RED, GREEN, BLUE)
        )
    )
    assert len({generation.prompt_tokens for generation in generations}) == 1


async def test_more_images_than_fit_are_refused(seeing: EngineHandle):
    prompt = showing(*[an_image()] * 40, "word " * 500, QUESTION)
    with pytest.raises(InvalidArgument, match="exceeds the maximum number of tokens allowed"):
        await seeing.engine.generate(prompt, 0)
    assert await seeing.engine.count_image_tokens(prompt.turns)


async def test_a_dead_engine_looks_at_nothing_more(blinded: EngineHandle):
    blinded.kill()
    await blinded.wait_for_death()
    with pytest.raises(GONE):
        await blinded.engine.generate(showing(an_image()), 0)
    with pytest.raises(GONE):
        await blinded.engine.count_image_tokens(showing(an_image()).turns)


@pytest.mark.model
async def test_llama_cpp_finds_a_prefix_with_an_image_in_it(projector: Path):
    model = msgspec.structs.replace(LLAMA_CPP, projector=f"path:{projector}")
    async with launched(model) as running:
        engine, picture = running.engine, an_image()
        before = await engine.count_tokens(showing("Look at this.").turns)
        await engine.generate(showing("Look at this.", picture, "Who is it?"), 0)
        same = await engine.generate(showing("Look at this.", picture, "Where is it?"), 0)
        assert same.cached_tokens > before
        other = await engine.generate(showing("Look at this.", an_image(colour=BLUE), "Who?"), 0)
        assert 0 < other.cached_tokens < before


@pytest.mark.model
async def test_a_projector_that_is_not_there_is_named():
    model = msgspec.structs.replace(LLAMA_CPP, projector="path:/no/such/mmproj.gguf")
    with pytest.raises(ConfigurationError, match="there is no file /no/such/mmproj"):
        async with launched(model):
            pass


@pytest.mark.model
async def test_a_projector_that_is_none_does_not_start(tmp_path: Path):
    path = tmp_path / "mmproj.gguf"
    path.write_bytes(b"GGUF and so on")
    model = msgspec.structs.replace(LLAMA_CPP, projector=f"path:{path}")
    with pytest.raises(EngineStartFailed, match="exit code"):
        async with launched(model):
            pass
