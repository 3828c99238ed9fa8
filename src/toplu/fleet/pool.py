"""The way of a request through one engine, shared by batches and interactive calls.

resolve ──▶ decode ──▶ search ──▶ quarantine ──▶ lane ──▶ ready engine ──▶ generate ──▶ encode
                                    ▲ alone                                   │
                                    └───────────── suspect ◀── engine died ───┘

A request whose engine died is run again, alone. One that brings the engine down every time
is condemned: the crash becomes its outcome, and everybody else is answered.
"""

from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import replace

import structlog

from toplu.engines.answer import prompt_details, text_tokens, write_answer
from toplu.engines.answer_chunks import AnswerChunks
from toplu.engines.attached import find_attached
from toplu.engines.cached import Cached
from toplu.engines.engine import BegunNote, Engine, Generation, Piece, Prompt
from toplu.engines.prompt import read_prefix, read_prompt, read_turns
from toplu.fleet.lanes import Lanes, Places
from toplu.fleet.patience import Patience
from toplu.fleet.reserve import reserve_of
from toplu.fleet.supervisor import EngineGivenUp, EngineStopped, Supervisor
from toplu.fleet.survival import Survival
from toplu.gemini.content import (
    CountTokensResponse,
    GenerateContentRequest,
    GenerateContentResponse,
)
from toplu.settings import ModelSettings, Settings
from toplu.tools.grounding import Grounded, Grounder
from toplu.tools.marking import mark_answer
from toplu.tools.prompt_parts import count_image_tokens, count_parts, part_usage

__all__ = ["EngineGivenUp", "EngineStopped", "Pool"]

log = structlog.get_logger()

ChunkListener = Callable[[GenerateContentResponse], Awaitable[None]]
# Reads the documents and images that a request to the model carries or names.
Resolve = Callable[[GenerateContentRequest, ModelSettings], Awaitable[GenerateContentRequest]]


class Pool:
    """Answers requests for one model."""

    def __init__(
        self,
        *,
        model: ModelSettings,
        supervisor: Supervisor[Engine],
        settings: Settings,
        grounder: Grounder,
        places: Places | None = None,  # None: the engine's lanes
    ) -> None:
        self._model = model
        self._supervisor = supervisor
        self._grounder = grounder
        self._places = places or Lanes(model.lanes, reserve_of(settings))
        self._patience = Patience(
            waiting_max=settings.interactive_waiting_max,
            seconds_max=(
                model.remote.patience_seconds if model.is_remote else settings.request_seconds_max
            ),
            reason=lambda: self.reason,
        )
        self._survival = Survival(
            model=model,
            supervisor=supervisor,
            places=self._places,
            patience=self._patience,
            crashes_max=settings.engine_crashes_per_request_max,
            preemptions_max=settings.preemptions_per_request_max,
        )

    @property
    def lanes(self) -> int:
        return self._places.count

    @property
    def window(self) -> int:
        """Return how many batch calls keep a lane busy; more would only wait here."""
        return self._places.window

    def rests(self, lane: int) -> bool:
        """Return whether the lane is kept for interactive calls at the moment."""
        return self._places.rests(lane)

    @property
    def reason(self) -> str:
        """Return why requests only wait; nothing if they do not."""
        return self._places.reason or self._supervisor.reason

    async def answer(
        self,
        request: GenerateContentRequest,
        *,
        interactive: bool,
        label: str | None = None,
        resolve: Resolve | None = None,
        cached: Cached | None = None,
        lane: int | None = None,
        begun: Callable[[], None] | None = None,
    ) -> GenerateContentResponse:
        """Answer the request, or raise the TopluError that is its outcome.

        EngineGivenUp alone says nothing about the request. `label` names it in the log; what is
        `cached` stands before it. A call that names no lane has the emptiest. `begun` is called
        with each piece of the answer.
        """
        request = await self._resolved(request, resolve, interactive=interactive)
        grounded = await self._ground(request, cached)

        async def generate(engine: Engine, lane: int) -> GenerateContentResponse:
            parts = await count_parts(grounded, engine)
            listener = None if begun is None else BegunNote(begun)
            generation = await engine.generate(grounded.prompt, lane, listener)
            generation = _told(generation, grounded.prompt, cached)
            answers = [completion.text for completion in generation.completions]
            answer = part_usage(write_answer(generation, self._model), parts)
            return mark_answer(answer, grounded.evidence, answers)

        return await self._survival.do(generate, interactive=interactive, label=label, lane=lane)

    async def stream(
        self,
        request: GenerateContentRequest,
        listener: ChunkListener,
        *,
        resolve: Resolve | None = None,
        cached: Cached | None = None,
    ) -> None:
        """Answer an interactive request chunk by chunk, or raise the TopluError that ends it.

        The listener takes each chunk while the engine waits for it. An engine that dies after the
        first chunk ends the answer, because another engine would not go on in the same words.
        """
        request = await self._resolved(request, resolve, interactive=True)
        grounded = await self._ground(request, cached)
        chunks = AnswerChunks(self._model)

        async def generate(engine: Engine, lane: int) -> GenerateContentResponse:
            parts = await count_parts(grounded, engine)

            async def tell(piece: Piece) -> None:
                if piece.is_thought and not _tells_thoughts(grounded.prompt):
                    return
                await listener(part_usage(chunks.write_piece(piece), parts))

            generation = await engine.generate(grounded.prompt, lane, tell)
            generation = _told(generation, grounded.prompt, cached)
            answers = [completion.text for completion in generation.completions]
            rest = part_usage(chunks.write_rest(generation), parts)
            return mark_answer(rest, grounded.evidence, answers)

        rest = await self._survival.do(
            generate, interactive=True, label=None, may_repeat=lambda: not chunks.begun
        )
        await listener(rest)

    async def count_tokens(
        self,
        request: GenerateContentRequest,
        *,
        resolve: Resolve | None = None,
        cached: Cached | None = None,
    ) -> CountTokensResponse:
        """Return how long the request's prompt is: its conversation and its functions."""
        request = await self._resolved(request, resolve, interactive=True)
        if cached is not None:
            request = cached.before(request, self._model)
        turns, functions = read_turns(request)

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

        return await self._survival.do(count, interactive=True, label=None, takes_lane=False)

    async def prepare_cache(
        self, cache_id: str, request: GenerateContentRequest, *, resolve: Resolve | None = None
    ) -> Cached:
        """Return what the request's contents are before other requests, and how long."""
        request = await self._resolved(request, resolve, interactive=True)
        prompt = read_prefix(request, self._model)

        async def count(engine: Engine, _lane: int) -> int:
            return await engine.count_prefix(prompt)

        tokens = await self._survival.do(count, interactive=True, label=None, takes_lane=False)
        return Cached(id=cache_id, request=request, turns=prompt.turns, tokens=tokens)

    async def load_cache(
        self, cache_id: str, request: GenerateContentRequest, tokens: int, *, resolve: Resolve
    ) -> Cached:
        """Return what `prepare_cache` returned when the cache was made."""
        request = await self._resolved(request, resolve, interactive=False)
        turns = read_prefix(request, self._model).turns
        return Cached(id=cache_id, request=request, turns=turns, tokens=tokens)

    async def keep_warm(self, cached: Cached) -> None:
        """Have the engine compute what is cached, if it can keep it."""
        prompt = cached.mark(read_prefix(cached.request, self._model))

        async def keep(engine: Engine, lane: int) -> None:
            await engine.keep_prefix(prompt, lane)

        await self._survival.do(keep, interactive=True, label=None)

    async def forget(self, cache_id: str) -> None:
        """Let the engine forget what it computed of a cache; one that is down has forgotten."""
        engine = self._supervisor.engine
        if engine is not None:
            await engine.forget_prefix(cache_id)

    async def _resolved(
        self, request: GenerateContentRequest, resolve: Resolve | None, *, interactive: bool
    ) -> GenerateContentRequest:
        """Return the request without documents; a call waits for its turn to have them read."""
        if resolve is None or not any(find_attached(request)):
            return request
        async with self._patience.wait() if interactive else nullcontext():
            return await resolve(request, self._model)

    async def _ground(self, request: GenerateContentRequest, cached: Cached | None) -> Grounded:
        if cached is not None:
            request = cached.before(request, self._model)
        prompt = read_prompt(request, self._model)
        grounded = await self._grounder.ground(request, prompt, self._model)
        if cached is not None:
            grounded = replace(grounded, prompt=cached.mark(grounded.prompt))
        return grounded


def _tells_thoughts(prompt: Prompt) -> bool:
    return prompt.thinking is not None and prompt.thinking.is_told


def _told(generation: Generation, prompt: Prompt, cached: Cached | None) -> Generation:
    """Return what of the generation its client asked to be told."""
    if cached is not None:
        generation = cached.count(generation)
    return generation if _tells_thoughts(prompt) else generation.without_thoughts()
