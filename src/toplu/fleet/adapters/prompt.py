"""The adapter of engines that are asked in prompts.

decode ──▶ search ──▶ generate ──▶ encode
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from toplu.engines.engine import Engine
from toplu.engines.generation import BegunNote, Generation, Piece
from toplu.engines.prompt import Prompt
from toplu.engines.translation.answer import prompt_details, text_tokens, write_answer
from toplu.engines.translation.answer_chunks import AnswerChunks
from toplu.engines.translation.cached_prefix import CachedPrefix
from toplu.engines.translation.prompt import read_prefix, read_prompt, read_turns
from toplu.fleet.adapters.adapter import ChunkListener
from toplu.fleet.adapters.valid_answer import generate_valid
from toplu.fleet.attempts.attempts import Work
from toplu.settings.server import ModelSettings
from toplu.tools.grounding import Grounded, Grounder
from toplu.tools.marking import mark_answer
from toplu.tools.prompt_parts import count_image_tokens, count_parts, part_usage
from toplu.wire.gemini.content import (
    CountTokensResponse,
    GenerateContentRequest,
    GenerateContentResponse,
)


class PromptAdapter:
    """Makes prompts of the requests for one model, and responses of its generations."""

    def __init__(self, model: ModelSettings, grounder: Grounder) -> None:
        self._model = model
        self._grounder = grounder
        self._attempts_max = model.remote.structured_attempts_max or model.structure_attempts_max

    async def answering(
        self,
        request: GenerateContentRequest,
        cached: CachedPrefix | None,
        begun: Callable[[], None] | None,
    ) -> Work[Engine, GenerateContentResponse]:
        grounded = await self._ground(request, cached)

        async def answer(engine: Engine, lane: int) -> GenerateContentResponse:
            parts = await count_parts(grounded, engine)
            listener = None if begun is None else BegunNote(begun)
            generation = await generate_valid(
                engine, grounded.prompt, lane, listener, attempts_max=self._attempts_max
            )
            generation = _told(generation, grounded.prompt, cached)
            answers = [completion.text for completion in generation.completions]
            answer = part_usage(write_answer(generation, self._model), parts)
            return mark_answer(answer, grounded.evidence, answers)

        return answer

    async def streaming(
        self, request: GenerateContentRequest, cached: CachedPrefix | None, listener: ChunkListener
    ) -> Work[Engine, GenerateContentResponse]:
        grounded = await self._ground(request, cached)
        chunks = AnswerChunks(self._model)

        async def stream(engine: Engine, lane: int) -> GenerateContentResponse:
            parts = await count_parts(grounded, engine)

            async def tell(piece: Piece) -> None:
                if piece.is_thought and not _tells_thoughts(grounded.prompt):
                    return
                await listener(part_usage(chunks.write_piece(piece), parts))

            # What has been sent cannot be taken back.
            generation = await generate_valid(engine, grounded.prompt, lane, tell, attempts_max=1)
            generation = _told(generation, grounded.prompt, cached)
            answers = [completion.text for completion in generation.completions]
            rest = part_usage(chunks.write_rest(generation), parts)
            return mark_answer(rest, grounded.evidence, answers)

        return stream

    def counting(
        self, request: GenerateContentRequest, cached: CachedPrefix | None
    ) -> Work[Engine, CountTokensResponse]:
        if cached is not None:
            request = cached.before(request, self._model)
        turns, functions = read_turns(request, self._model)

        async def count(engine: Engine, _lane: int) -> CountTokensResponse:
            tokens = await engine.count_tokens(turns, functions)
            details = prompt_details(tokens, await count_image_tokens(turns, engine))
            shows = any(turn.images for turn in turns)
            return CountTokensResponse(
                total_tokens=tokens,
                cached_content_token_count=cached.tokens if cached else None,
                prompt_tokens_details=details,
                cache_tokens_details=text_tokens(cached.tokens) if cached and not shows else None,
            )

        return count

    def measuring(self, request: GenerateContentRequest) -> Work[Engine, int]:
        prompt = read_prefix(request, self._model)

        async def measure(engine: Engine, _lane: int) -> int:
            return await engine.count_prefix(prompt)

        return measure

    def cached(self, cache_id: str, request: GenerateContentRequest, tokens: int) -> CachedPrefix:
        turns = read_prefix(request, self._model).turns
        return CachedPrefix(id=cache_id, request=request, turns=turns, tokens=tokens)

    def warming(self, cached: CachedPrefix) -> Work[Engine, None]:
        prompt = cached.mark(read_prefix(cached.request, self._model))

        async def keep(engine: Engine, lane: int) -> None:
            await engine.keep_prefix(prompt, lane)

        return keep

    async def forget(self, engine: Engine, cache_id: str) -> None:
        await engine.forget_prefix(cache_id)

    async def _ground(
        self, request: GenerateContentRequest, cached: CachedPrefix | None
    ) -> Grounded:
        if cached is not None:
            request = cached.before(request, self._model)
        prompt = await _in_thread_if_compiling(request, self._model)
        grounded = await self._grounder.ground(request, prompt, self._model)
        if cached is not None:
            grounded = replace(grounded, prompt=cached.mark(grounded.prompt))
        return grounded


async def _in_thread_if_compiling(request: GenerateContentRequest, model: ModelSettings) -> Prompt:
    """Return the prompt; a schema that nobody has compiled holds up nothing else."""
    config = request.generation_config
    compiles = request.tools or (
        config is not None
        and (config.response_schema is not None or config.response_json_schema is not None)
    )
    if not compiles:
        return read_prompt(request, model)
    return await asyncio.to_thread(read_prompt, request, model)


def _tells_thoughts(prompt: Prompt) -> bool:
    return prompt.thinking is not None and prompt.thinking.is_told


def _told(generation: Generation, prompt: Prompt, cached: CachedPrefix | None) -> Generation:
    """Return what of the generation its client asked to be told."""
    if cached is not None:
        generation = cached.count(generation)
    return generation if _tells_thoughts(prompt) else generation.without_thoughts()
