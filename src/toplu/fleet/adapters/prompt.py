"""The adapter of engines that are asked in prompts.

decode ──▶ search ──▶ generate ──▶ validate ──▶ encode
"""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from msgspec.structs import replace

from toplu.engines.calls import Functions
from toplu.engines.engine import Engine
from toplu.engines.generation import BegunNote, Generation, Piece
from toplu.engines.prompt import Prompt, Turn
from toplu.engines.translation.answer import prompt_details, text_tokens, write_answer
from toplu.engines.translation.answer_chunks import AnswerChunks
from toplu.engines.translation.cached_prefix import CachedPrefix
from toplu.engines.translation.prompt import read_prefix, read_prompt, read_turns
from toplu.fleet.adapters.frames import Frames
from toplu.fleet.adapters.valid_answer import generate_valid
from toplu.fleet.work import (
    Answer,
    Answered,
    Attempt,
    CountPrefix,
    CountTokens,
    KeepPrefix,
    Stream,
    Work,
)
from toplu.money import Usage, total
from toplu.settings.server import ModelSettings
from toplu.structured.guard.threads import read_schemas
from toplu.tools.grounding import Grounded, Grounder
from toplu.tools.marking import mark_answer
from toplu.tools.prompt_parts import PromptParts, count_image_tokens, count_parts, part_usage
from toplu.wire.gemini.content import (
    CountTokensResponse,
    GenerateContentRequest,
    GenerateContentResponse,
    GenerationConfig,
)

T = TypeVar("T")


class PromptAdapter:
    """Makes prompts of the requests for one model, and responses of its generations."""

    def __init__(self, model: ModelSettings, grounder: Grounder) -> None:
        self._model = model
        self._grounder = grounder
        self._frames = Frames()
        self._attempts_max = model.remote.structured_attempts_max or model.structure_attempts_max

    async def read(self, work: Work[Any]) -> Attempt[Engine, Any]:
        match work:
            case Answer():
                return partial(self._answer, work, await self._ground(work))
            case Stream():
                return partial(self._stream, work, await self._ground(work))
            case CountTokens():
                turns, functions = await _read(read_turns, await _joined(work), self._model)
                return partial(self._count_tokens, work, turns, functions)
            case CountPrefix():
                prompt = await _read(read_prefix, work.request, self._model)
                return partial(self._count_prefix, prompt)
            case KeepPrefix():
                prompt = await _read(read_prefix, work.cached.request, self._model)
                return partial(self._keep_prefix, work.cached.mark(prompt))
            case _:
                raise TypeError(f"{type(work).__name__} is no work for an engine")

    async def forget(self, engine: Engine, cache_id: str) -> None:
        await engine.forget_prefix(cache_id)

    async def _answer(
        self, work: Answer, grounded: Grounded, engine: Engine, lane: int
    ) -> Answered:
        parts = await count_parts(grounded, engine)
        listener = None if work.begun is None else BegunNote(work.begun)
        generation = await generate_valid(
            engine, grounded.prompt, lane, listener, attempts_max=self._attempts_max
        )
        generation = _visible(generation, grounded.prompt, work.cached)
        answer = _finished(write_answer(generation, self._model), generation, grounded, parts)
        shortened = any(each.shortened for each in generation.completions)
        return Answered.of(answer, discarded=_discarded(generation), shortened=shortened)

    async def _stream(
        self, work: Stream, grounded: Grounded, engine: Engine, lane: int
    ) -> GenerateContentResponse:
        """Send the answer but for its last chunk, which is returned."""
        parts = await count_parts(grounded, engine)
        chunks = AnswerChunks(self._model)

        async def send(piece: Piece) -> None:
            if not piece.is_thought or _has_visible_thoughts(grounded.prompt):
                await work.send(part_usage(chunks.write_piece(piece), parts))

        # What has been sent cannot be taken back.
        generation = await generate_valid(engine, grounded.prompt, lane, send, attempts_max=1)
        generation = _visible(generation, grounded.prompt, work.cached)
        return _finished(chunks.write_rest(generation), generation, grounded, parts)

    async def _count_tokens(
        self,
        work: CountTokens,
        turns: tuple[Turn, ...],
        functions: Functions | None,
        engine: Engine,
        _lane: int,
    ) -> CountTokensResponse:
        tokens = await engine.count_tokens(turns, functions)
        image_tokens = await count_image_tokens(turns, engine)
        cached_tokens = work.cached.tokens if work.cached else None
        has_images = any(turn.images for turn in turns)
        return CountTokensResponse(
            total_tokens=tokens,
            cached_content_token_count=cached_tokens,
            prompt_tokens_details=prompt_details(tokens, image_tokens),
            cache_tokens_details=(
                None if cached_tokens is None or has_images else text_tokens(cached_tokens)
            ),
        )

    async def _count_prefix(self, prompt: Prompt, engine: Engine, _lane: int) -> int:
        return await engine.count_prefix(prompt)

    async def _keep_prefix(self, prompt: Prompt, engine: Engine, lane: int) -> None:
        await engine.keep_prefix(prompt, lane)

    async def _ground(self, work: Work[Any]) -> Grounded:
        request = await _joined(work)
        prompt = self._frames.find(request)
        if prompt is None:
            prompt = await _read(read_prompt, request, self._model)
            self._frames.keep(request, prompt)
        if self._model.is_remote:
            prompt = replace(prompt, project=work.project, is_urgent=work.tier.is_interactive)
        grounded = await self._grounder.ground(request, prompt, self._model)
        if work.cached is None:
            return grounded
        return replace(grounded, prompt=work.cached.mark(grounded.prompt))


async def _joined(work: Work[Any]) -> GenerateContentRequest:
    """Return the request with what is cached for it; InvalidArgument: they do not fit."""
    if work.cached is None:
        return work.request
    if _compiles(work.request) or _compiles(work.cached.request):
        return await read_schemas(work.cached.before, work.request)
    return work.cached.before(work.request)


def _discarded(generation: Generation) -> Usage | None:
    """Return what attempts used whose answers nobody reads; None: there are none."""
    if not generation.discarded:
        return None
    return total(
        Usage(
            prompt_tokens=attempt.prompt_tokens,
            cached_tokens=attempt.cached_tokens,
            output_tokens=sum(each.tokens + each.thought_tokens for each in attempt.completions),
        )
        for attempt in generation.discarded
    )


async def _read(
    read: Callable[[GenerateContentRequest, ModelSettings], T],
    request: GenerateContentRequest,
    model: ModelSettings,
) -> T:
    """Return what `read` makes of the request; a schema that nobody has compiled holds up nothing.

    InvalidArgument: the request is wrong.
    """
    if not _compiles(request):
        return read(request, model)
    return await read_schemas(read, request, model)


def _compiles(request: GenerateContentRequest) -> bool:
    """Return whether reading the request may compile a schema."""
    config = request.generation_config or GenerationConfig()
    schemas = (config.response_schema, config.response_json_schema)
    return bool(request.tools) or any(schema is not None for schema in schemas)


def _has_visible_thoughts(prompt: Prompt) -> bool:
    return prompt.thinking is not None and prompt.thinking.is_told


def _visible(generation: Generation, prompt: Prompt, cached: CachedPrefix | None) -> Generation:
    """Return what of the generation its client asked to see."""
    if cached is not None:
        generation = cached.count(generation)
    return generation if _has_visible_thoughts(prompt) else generation.without_thoughts()


def _finished(
    response: GenerateContentResponse,
    generation: Generation,
    grounded: Grounded,
    parts: PromptParts,
) -> GenerateContentResponse:
    """Return the response with the parts of its usage, and the sources of what it says."""
    texts = [completion.text for completion in generation.completions]
    return mark_answer(part_usage(response, parts), grounded.evidence, texts)
