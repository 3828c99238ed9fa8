"""Asks a model once, wherever it runs, and finds out what its servers can do.

Each question is small; a server that keeps prefixes is asked one twice.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from toplu.engines.embedder import Embedder
from toplu.engines.engine import Engine
from toplu.engines.gemini.embedder import GeminiEmbedder
from toplu.engines.gemini.relay import GeminiRelay
from toplu.engines.http.load import ServerLoad
from toplu.engines.openai.cached_tokens import OPTION
from toplu.engines.openai.embedder import OpenaiEmbedder
from toplu.engines.openai.engine import OpenaiEngine
from toplu.engines.openai.request_marks import PRIORITY, SALT
from toplu.engines.openai.ways import Calls, Form, Way
from toplu.engines.prompt import Prompt
from toplu.engines.relay import RelayedRequest
from toplu.engines.translation.prompt import read_prompt
from toplu.errors import TopluError
from toplu.fleet.processes.engine_handle import EngineStartFailed
from toplu.fleet.processes.launch import launch_embedder_of, launch_of
from toplu.settings.model import Kind, ModelSettings
from toplu.settings.remote import ServerSettings
from toplu.settings.server import Settings
from toplu.wire.gemini import proto_json
from toplu.wire.gemini.content import GenerateContentRequest

SECONDS_MAX = 120.0  # for all questions to one server
QUESTION = "Say hello."
LONG_QUESTION = f"{'The harbour has a mill, a school and a market. ' * 60}Say hello."
ANSWERS = "answers"
TOKENS = 64  # of an answer
NOTHING: Mapping[str, Any] = {}
SCHEMA = {
    "type": "object",
    "properties": {"colour": {"type": "string", "enum": ["red", "green"]}},
    "required": ["colour"],
}
FORMING = {
    "generationConfig": {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA}
}
CALLING = {
    "tools": [{"functionDeclarations": [{"name": "paint", "parametersJsonSchema": SCHEMA}]}],
    "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
}
FORMS = {
    "own": Way(form=Form.OWN, calls=Calls.TOOLS),
    "relaxed": Way(form=Form.RELAXED, calls=Calls.TOOLS),
    "grammar": Way(form=Form.GRAMMAR, calls=Calls.AS_TEXT),
    "in the prompt": Way(calls=Calls.TOOLS, form_in_prompt=True),
}
CALLS = {
    "tools": Way(calls=Calls.TOOLS),
    "listed": Way(calls=Calls.LISTED),
    "as text": Way(calls=Calls.AS_TEXT),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found out."""

    server: str  # its URL; empty: the model runs here
    what: str
    found: str
    is_answer: bool = False  # the model has answered


async def findings_of(model: ModelSettings, settings: Settings) -> AsyncIterator[Finding]:
    """Yield what is found out about a model, of each of its servers."""
    if not model.is_remote:
        async for finding in _bounded("", _local_findings(model, settings)):
            yield finding
    for server in model.servers:
        async for finding in _bounded(server.url, _server_findings(server, model)):
            yield finding


async def _bounded(server: str, found: AsyncIterator[tuple[str, str]]) -> AsyncIterator[Finding]:
    """Yield the findings; the fault that ends them is one as well."""
    try:
        async with asyncio.timeout(SECONDS_MAX):
            async for what, said in found:
                yield Finding(server, what, said, is_answer=what == ANSWERS)
    except TimeoutError:
        yield Finding(server, "fault", f"no answer within {SECONDS_MAX:g} seconds")
    except (TopluError, EngineStartFailed) as error:
        yield Finding(server, "fault", str(error))


async def _local_findings(
    model: ModelSettings, settings: Settings
) -> AsyncIterator[tuple[str, str]]:
    if model.kind is Kind.EMBEDDING:
        embedder = await launch_embedder_of(model, settings)()
        try:
            async for finding in _embedder_findings(embedder.engine, time.monotonic()):
                yield finding
        finally:
            await embedder.stop()
        return
    with tempfile.TemporaryDirectory(prefix="toplu-") as prefixes:
        running = await launch_of(model, settings, Path(prefixes))()
        try:
            yield ANSWERS, await _answer(running.engine, model)
            yield "seats", f"{model.lanes} lanes of {model.context_tokens} tokens"
        finally:
            await running.stop()


async def _server_findings(
    server: ServerSettings, model: ModelSettings
) -> AsyncIterator[tuple[str, str]]:
    remote, seconds = model.remote, SECONDS_MAX
    if model.kind is Kind.EMBEDDING:
        kind = GeminiEmbedder if model.is_relayed else OpenaiEmbedder
        embedder = kind.connect(server, remote, seconds, dimensions=model.dimensions)
        try:
            begun = time.monotonic()
            await embedder.check()
            async for finding in _embedder_findings(embedder, begun):
                yield finding
        finally:
            await embedder.close()
    elif model.is_relayed:
        relay = GeminiRelay.connect(server, remote, seconds)
        try:
            begun = time.monotonic()
            await relay.check()
            await relay.generate(RelayedRequest(_request()))
            yield ANSWERS, _after(begun)
        finally:
            await relay.close()
    else:
        engine = OpenaiEngine.connect(server, remote, seconds)
        try:
            async for finding in _openai_findings(engine, model):
                yield finding
        finally:
            await engine.close()


async def _embedder_findings(embedder: Embedder, begun: float) -> AsyncIterator[tuple[str, str]]:
    [embedding] = await embedder.embed([QUESTION])
    yield ANSWERS, _after(begun)
    yield "dimensions", str(len(embedding.values))


async def _openai_findings(
    engine: OpenaiEngine, model: ModelSettings
) -> AsyncIterator[tuple[str, str]]:
    await engine.check()
    load = await engine.load()  # so that its requests are marked
    yield ANSWERS, await _answer(engine, model)
    yield "served model", await engine.model.name()
    for finding in _load_findings(load, model):
        yield finding
    marks = engine.marks.taken(engine.figures.software)
    heeded = f"taken; heeded with --scheduling-policy {PRIORITY}"
    yield PRIORITY, heeded if PRIORITY in marks else "no"
    yield SALT, "by project" if SALT in marks else "no"
    yield "cached tokens", await _told_cached_tokens(engine, model)
    await engine.count_tokens(_prompt(model).turns)
    yield "tokens counted by", engine.counter.way
    yield "schema held by", await _ways_that_hold(engine, _prompt(model, FORMING), FORMS)
    yield "calls made by", await _ways_that_hold(engine, _prompt(model, CALLING), CALLS)


def _load_findings(load: ServerLoad | None, model: ModelSettings) -> list[tuple[str, str]]:
    remote = model.remote
    if load is None:
        return [("seats", f"searched for, from {remote.requests_first} on: it has no /metrics")]
    memory = "not told" if load.memory_tokens is None else f"{load.memory_tokens} tokens"
    if load.memory_used is not None:
        memory += f", {load.memory_used:.0%} used"
    keeps = {None: "not told", True: "kept", False: "not kept"}[load.keeps_prefixes]
    return [
        ("software", load.software),
        (
            "seats",
            f"by its load, up to {remote.requests_max}: {load.running} run, {load.waiting} wait",
        ),
        ("memory", memory),
        ("prefixes", keeps),
    ]


async def _told_cached_tokens(engine: OpenaiEngine, model: ModelSettings) -> str:
    """Return whether answers say what came from the cache: a question is asked twice."""
    before = await engine.load()
    prompt = _prompt(model, {}, LONG_QUESTION)
    answers = [await engine.generate(prompt, 0) for _ in range(2)]
    if any(answer.cached_tokens for answer in answers):
        return "told"
    after = await engine.load()
    if before is None or after is None:
        return "none told"
    if after.tokens_from_cache > before.tokens_from_cache:
        return f"not told, though there are some: vLLM tells them with {OPTION}"
    return "none there"


async def _ways_that_hold(engine: OpenaiEngine, prompt: Prompt, ways: dict[str, Way]) -> str:
    """Return the names of the ways in which the answer had its form."""
    held = [name for name, way in ways.items() if await _holds(engine, prompt, way)]
    return ", ".join(held) or "nothing"


async def _holds(engine: OpenaiEngine, prompt: Prompt, way: Way) -> bool:
    try:
        completion = (await engine.in_way(way, prompt, 0, 0, None)).completion
    except TopluError:
        return False
    if prompt.structure is not None:
        return prompt.structure.find_violation(completion.text) is None
    return bool(completion.calls)


async def _answer(engine: Engine, model: ModelSettings) -> str:
    begun = time.monotonic()
    await engine.generate(_prompt(model), 0)
    return _after(begun)


def _after(begun: float) -> str:
    return f"yes, in {time.monotonic() - begun:.2f} s"


def _prompt(
    model: ModelSettings, fields: Mapping[str, Any] = NOTHING, question: str = QUESTION
) -> Prompt:
    """Return a prompt as a batch of a project of that name has it."""
    prompt = read_prompt(_request(fields, question), model)
    return replace(prompt, project="toplu models test", is_urgent=False)


def _request(
    fields: Mapping[str, Any] = NOTHING, question: str = QUESTION
) -> GenerateContentRequest:
    asked = {"contents": [{"role": "user", "parts": [{"text": question}]}], **fields}
    config = {"temperature": 0, "maxOutputTokens": TOKENS} | asked.get("generationConfig", {})
    return proto_json.read_value(GenerateContentRequest, asked | {"generationConfig": config})
