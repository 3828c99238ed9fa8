"""The way of a request through one engine, shared by batches and interactive calls.

resolve ──▶ read ──▶ quarantine ──▶ lane ──▶ ready engine ──▶ ask
                         ▲ alone                               │
                         └──────────── suspect ◀── engine died ┘

What the engine is asked is the adapter's to say. A request whose engine died is run again, alone.
One that brings the engine down every time is condemned: the crash becomes its outcome, and
everybody else is answered.
"""

from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from typing import Generic

from toplu.engines.translation.cached_prefix import CachedPrefix
from toplu.engines.translation.media import find_attached
from toplu.fleet.adapters.adapter import Adapter, ChunkListener
from toplu.fleet.attempts.attempts import Attempts
from toplu.fleet.lanes.lanes import Lanes, Slots
from toplu.fleet.lanes.reserve import reserve_of
from toplu.fleet.lanes.wait_limits import WaitLimits
from toplu.fleet.processes.engine_handle import AnyEngine
from toplu.fleet.processes.supervisor import EngineGivenUp, EngineStopped, Supervisor
from toplu.settings.server import ModelSettings, Settings
from toplu.wire.gemini.content import GenerateContentRequest
from toplu.wire.gemini.message import Response

__all__ = ["EngineGivenUp", "EngineStopped", "Pool"]

# Reads the documents and images that a request to the model carries or names.
Resolve = Callable[[GenerateContentRequest, ModelSettings], Awaitable[GenerateContentRequest]]


class Pool(Generic[AnyEngine]):
    """Answers requests for one model."""

    def __init__(
        self,
        *,
        model: ModelSettings,
        supervisor: Supervisor[AnyEngine],
        adapter: Adapter[AnyEngine],
        settings: Settings,
        places: Slots | None = None,  # None: the engine's lanes
    ) -> None:
        self._model = model
        self._supervisor = supervisor
        self._adapter = adapter
        self._places = places or Lanes(model.lanes, reserve_of(model, settings))
        self._wait_limits = WaitLimits(
            waiting_max=settings.interactive_waiting_max,
            seconds_max=(
                model.remote.patience_seconds if model.is_remote else settings.request_seconds_max
            ),
            reason=lambda: self.reason,
        )
        self._attempts = Attempts(
            model=model,
            supervisor=supervisor,
            places=self._places,
            wait_limits=self._wait_limits,
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

    def is_reserved(self, lane: int) -> bool:
        """Return whether the lane is kept for interactive calls at the moment."""
        return self._places.is_reserved(lane)

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
        cached: CachedPrefix | None = None,
        lane: int | None = None,
        begun: Callable[[], None] | None = None,
    ) -> Response:
        """Answer the request, or raise the TopluError that is its outcome.

        EngineGivenUp alone says nothing about the request. `label` names it in the log; what is
        `cached` stands before it. A call that names no lane has the emptiest. `begun` is called
        with each piece of the answer.
        """
        request = await self._resolved(request, resolve, interactive=interactive)
        answer = await self._adapter.answering(request, cached, begun)
        return await self._attempts.do(answer, interactive=interactive, label=label, lane=lane)

    async def stream(
        self,
        request: GenerateContentRequest,
        listener: ChunkListener,
        *,
        resolve: Resolve | None = None,
        cached: CachedPrefix | None = None,
    ) -> None:
        """Answer an interactive request chunk by chunk, or raise the TopluError that ends it.

        The listener takes each chunk while the engine waits for it. An engine that dies after the
        first chunk ends the answer, because another engine would not go on in the same words.
        """
        request = await self._resolved(request, resolve, interactive=True)
        has_begun = False

        async def tell(chunk: Response) -> None:
            nonlocal has_begun
            has_begun = True
            await listener(chunk)

        stream = await self._adapter.streaming(request, cached, tell)
        rest = await self._attempts.do(
            stream, interactive=True, label=None, may_repeat=lambda: not has_begun
        )
        if rest is not None:
            await listener(rest)

    async def count_tokens(
        self,
        request: GenerateContentRequest,
        *,
        resolve: Resolve | None = None,
        cached: CachedPrefix | None = None,
    ) -> Response:
        """Return how long the request's prompt is: its conversation and its functions."""
        request = await self._resolved(request, resolve, interactive=True)
        count = self._adapter.counting(request, cached)
        return await self._attempts.do(count, interactive=True, label=None, takes_lane=False)

    async def prepare_cache(
        self, cache_id: str, request: GenerateContentRequest, *, resolve: Resolve | None = None
    ) -> CachedPrefix:
        """Return what the request's contents are before other requests, and how long."""
        request = await self._resolved(request, resolve, interactive=True)
        measure = self._adapter.measuring(request)
        tokens = await self._attempts.do(measure, interactive=True, label=None, takes_lane=False)
        return self._adapter.cached(cache_id, request, tokens)

    async def load_cache(
        self, cache_id: str, request: GenerateContentRequest, tokens: int, *, resolve: Resolve
    ) -> CachedPrefix:
        """Return what `prepare_cache` returned when the cache was made."""
        request = await self._resolved(request, resolve, interactive=False)
        return self._adapter.cached(cache_id, request, tokens)

    async def keep_warm(self, cached: CachedPrefix) -> None:
        """Have the engine compute what is cached, if it can keep it."""
        await self._attempts.do(self._adapter.warming(cached), interactive=True, label=None)

    async def forget(self, cache_id: str) -> None:
        """Let the engine forget what it computed of a cache; one that is down has forgotten."""
        engine = self._supervisor.engine
        if engine is not None:
            await self._adapter.forget(engine, cache_id)

    async def _resolved(
        self, request: GenerateContentRequest, resolve: Resolve | None, *, interactive: bool
    ) -> GenerateContentRequest:
        """Return the request without documents; a call waits for its turn to have them read."""
        if resolve is None or not any(find_attached(request)):
            return request
        async with self._wait_limits.wait() if interactive else nullcontext():
            return await resolve(request, self._model)
