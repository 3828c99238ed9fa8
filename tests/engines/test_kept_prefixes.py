"""A prefix is computed once, by real llama.cpp, whatever else its lanes do meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec.structs import replace

from support.engines.engines_under_test import LANES, LLAMA_CPP, a_prompt
from support.waiting import PATIENCE_SECONDS
from toplu.engines.generation import Generation
from toplu.engines.llama_cpp.engine import LlamaCppEngine
from toplu.engines.prompt import KeptPrefix, Prompt, Turn
from toplu.fleet.processes.launch import launch_of
from toplu.settings.server import Settings

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="module"), pytest.mark.system]

RULES = "These are the rules of the server, which you have to keep: never run, never shout. " * 8
OTHER = "The weather at sea was fine that year, and the herring were many. " * 12
TWO_PREFIXES_BYTES = 10 * 1024 * 1024  # of SmolLM2's 22.5 KiB a token
# Of a prompt that was seen before, the last token at least is computed again.
AGAIN_MAX = 1


@pytest_asyncio.fixture(loop_scope="module")
async def engine(tmp_path: Path) -> AsyncIterator[LlamaCppEngine]:
    settings = Settings(data_dir=tmp_path, kept_prefix_bytes_max=TWO_PREFIXES_BYTES)
    running = await launch_of(LLAMA_CPP, settings, tmp_path / "prefixes")()
    assert isinstance(running.engine, LlamaCppEngine)
    yield running.engine
    await running.stop()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "prefixes" / LLAMA_CPP.name


async def prefixed(engine: LlamaCppEngine, question: str, rules: str = RULES) -> Prompt:
    """A prompt that begins with rules that are kept."""
    prompt = a_prompt(question, tokens_max=2)
    turns = (Turn("user", rules), Turn("assistant", "Yes."), *prompt.turns)
    tokens = await engine.count_prefix(replace(prompt, turns=turns[:2]))
    kept = KeptPrefix(id=f"rules{abs(hash(rules)):x}", turns=2, tokens=tokens)
    return replace(prompt, turns=turns, kept_prefix=kept)


async def fill_every_lane(engine: LlamaCppEngine) -> None:
    async with asyncio.TaskGroup() as group:
        for lane in range(LANES):
            group.create_task(engine.generate(a_prompt(OTHER, tokens_max=2), lane))


def cached_of_prefix(generation: Generation, prompt: Prompt) -> int:
    assert prompt.kept_prefix is not None
    return min(generation.cached_tokens, prompt.kept_prefix.tokens)


async def test_a_prefix_is_computed_once_whatever_the_lanes_did_since(
    engine: LlamaCppEngine, folder: Path
) -> None:
    prompt = await prefixed(engine, "May I run?")
    assert prompt.kept_prefix is not None
    tokens = prompt.kept_prefix.tokens
    assert tokens > 100
    await engine.keep_prefix(prompt, 0)
    assert [path.name for path in folder.iterdir()] == [prompt.kept_prefix.id]
    written = (folder / prompt.kept_prefix.id).stat().st_mtime_ns
    for lane in (1, 0):
        await fill_every_lane(engine)
        generation = await engine.generate(await prefixed(engine, f"May I shout {lane}?"), lane)
        assert generation.cached_tokens == tokens < generation.prompt_tokens
    assert (folder / prompt.kept_prefix.id).stat().st_mtime_ns == written

    # Without the keeping, what every lane did since would have cost the prefix.
    await fill_every_lane(engine)
    plain = replace(await prefixed(engine, "May I sing?"), kept_prefix=None)
    assert (await engine.generate(plain, 0)).cached_tokens < tokens // 2


async def test_the_first_request_computes_a_prefix_that_is_not_kept_yet(
    engine: LlamaCppEngine,
) -> None:
    first = await engine.generate(await prefixed(engine, "May I run?"), 0)
    await fill_every_lane(engine)
    second = await engine.generate(await prefixed(engine, "May I shout?"), 1)
    assert first.cached_tokens == second.cached_tokens > 100


async def test_a_kept_prefix_is_to_the_model_what_a_computed_one_is(
    engine: LlamaCppEngine,
) -> None:
    prompt = replace(await prefixed(engine, "May I run?"), top_logprobs=20)
    await engine.keep_prefix(prompt, 0)
    await fill_every_lane(engine)
    kept = await engine.generate(prompt, 1)
    again = await engine.generate(replace(prompt, kept_prefix=None), 0)
    other = await prefixed(engine, "May I run?", rules=OTHER)
    elsewhere = await engine.generate(replace(prompt, turns=other.turns, kept_prefix=None), 0)
    # Sums over batches of other sizes are rounded otherwise: two tokens that are about as likely
    # may change places, and with them whole answers. Another prefix is much further away.
    assert distance(kept, again) < 0.3
    assert distance(kept, elsewhere) > 0.6


def distance(one: Generation, other: Generation) -> float:
    """Return how far the log-probabilities of the tokens that may come first are apart, at most."""
    first, second = (
        {token.token: token.logprob for token in each.completions[0].steps[0].likeliest}
        for each in (one, other)
    )
    return max(abs(first[token] - second[token]) for token in first.keys() & second.keys())


async def test_requests_on_every_lane_at_once_compute_a_prefix_once(
    engine: LlamaCppEngine,
) -> None:
    prompts = [await prefixed(engine, f"Question {number}?") for number in range(4 * LANES)]
    generations: list[asyncio.Task[Generation]] = []
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        for number, prompt in enumerate(prompts):
            # Every other request on a lane wants something else.
            group.create_task(engine.generate(a_prompt(OTHER, tokens_max=2), number % LANES))
            generations.append(group.create_task(engine.generate(prompt, number % LANES)))
    for prompt, generation in zip(prompts, generations, strict=True):
        assert prompt.kept_prefix is not None
        assert cached_of_prefix(generation.result(), prompt) == prompt.kept_prefix.tokens


async def test_a_lane_that_holds_the_prefix_needs_no_file(
    engine: LlamaCppEngine, folder: Path
) -> None:
    prompt = await prefixed(engine, "May I run?")
    await engine.keep_prefix(prompt, 0)
    for path in folder.iterdir():
        path.unlink()
    generation = await engine.generate(prompt, 0)
    assert prompt.kept_prefix is not None
    assert generation.cached_tokens == prompt.kept_prefix.tokens


async def test_a_prefix_that_cannot_be_brought_is_computed_by_its_request(
    engine: LlamaCppEngine, folder: Path
) -> None:
    prompt = await prefixed(engine, "May I run?")
    await engine.keep_prefix(prompt, 0)
    for path in folder.iterdir():
        path.write_bytes(b"junk")
    generation = await engine.generate(prompt, 1)
    assert generation.completions[0].tokens
    assert generation.cached_tokens <= AGAIN_MAX
    assert list(folder.iterdir()) == []


async def test_what_is_forgotten_leaves_no_file(engine: LlamaCppEngine, folder: Path) -> None:
    prompt = await prefixed(engine, "May I run?")
    assert prompt.kept_prefix is not None
    async with asyncio.TaskGroup() as group:
        group.create_task(engine.keep_prefix(prompt, 0))
        # It is forgotten while it is computed, and once more when that is done.
        while not engine._prefixes._computing:
            await asyncio.sleep(0)
        await engine.forget_prefix(prompt.kept_prefix.id)
    assert list(folder.iterdir()) == []
    await engine.forget_prefix(prompt.kept_prefix.id)


async def test_those_used_longest_ago_make_room(engine: LlamaCppEngine, folder: Path) -> None:
    prompts = [
        await prefixed(engine, "May I?", f"LocalServer {number}. {RULES}") for number in range(4)
    ]
    ids = [prompt.kept_prefix.id for prompt in prompts if prompt.kept_prefix is not None]
    for prompt in prompts[:2]:
        await engine.keep_prefix(prompt, 0)
    await engine.generate(prompts[0], 1)
    await engine.keep_prefix(prompts[2], 0)
    left = {path.name for path in folder.iterdir()}
    assert ids[0] in left
    assert ids[1] not in left
    assert ids[2] in left
    assert sum(path.stat().st_size for path in folder.iterdir()) <= TWO_PREFIXES_BYTES


async def test_a_cancelled_request_leaves_its_lane_to_the_next(engine: LlamaCppEngine) -> None:
    prompt = await prefixed(engine, "May I run?")
    await engine.keep_prefix(prompt, 0)
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        story = group.create_task(engine.generate(a_prompt(OTHER, tokens_max=200), 1))
        waiting = group.create_task(engine.generate(prompt, 1))
        while not engine._order.is_taken(1):
            await asyncio.sleep(0)
        waiting.cancel()
        story.cancel()
        after = group.create_task(engine.generate(prompt, 1))
    assert prompt.kept_prefix is not None
    assert after.result().cached_tokens >= prompt.kept_prefix.tokens
