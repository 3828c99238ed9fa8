"""The way of a request through one engine, shared by batches and interactive calls.

work ──▶ resolve ──▶ read ──▶ quarantine ──▶ lane ──▶ ready engine ──▶ ask ──▶ result
                                  ▲ alone                               │
                                  └──────────── suspect ◀── engine died ┘

The adapter decides what the engine is asked. A request whose engine died is run again, alone. One
that brings the engine down every time is condemned: the crash becomes its outcome, and everybody
else is answered.
"""

from contextlib import nullcontext
from dataclasses import replace
from typing import Generic, TypeVar

from toplu.engines.translation.media import find_attached
from toplu.fleet.adapters.adapter import Adapter
from toplu.fleet.attempts.attempts import Attempts
from toplu.fleet.lanes.lanes import Lanes, Slots
from toplu.fleet.lanes.reserve import reserve_of
from toplu.fleet.lanes.wait_limits import wait_limits_of
from toplu.fleet.processes.engine_handle import AnyEngine
from toplu.fleet.processes.supervisor import EngineGivenUp, EngineStopped, Supervisor
from toplu.fleet.traced_answer import note_answer
from toplu.fleet.work import Resolve, Stream, Tier, Work
from toplu.settings.server import ModelSettings, Settings
from toplu.tracing.spans import SPANS
from toplu.wire.gemini.content import GenerateContentRequest

__all__ = ["EngineGivenUp", "EngineStopped", "Pool"]

T = TypeVar("T")


class Pool(Generic[AnyEngine]):
    """Does the work of one model, for batches and interactive calls."""

    def __init__(
        self,
        *,
        model: ModelSettings,
        supervisor: Supervisor[AnyEngine],
        adapter: Adapter[AnyEngine],
        settings: Settings,
        slots: Slots | None = None,  # None: the engine's lanes
    ) -> None:
        self.model = model
        self._supervisor = supervisor
        self._adapter = adapter
        self._slots = slots or Lanes(model.lanes, reserve_of(model, settings))
        self._wait_limits = wait_limits_of(model, settings, reason=lambda: self.reason)
        self._attempts = Attempts(
            model=model,
            supervisor=supervisor,
            slots=self._slots,
            wait_limits=self._wait_limits,
            crashes_max=settings.engine_crashes_per_request_max,
            preemptions_max=settings.preemptions_per_request_max,
        )

    @property
    def lanes(self) -> int:
        return self._slots.count

    @property
    def window(self) -> int:
        """Return how many batch calls keep a lane busy; more would only wait here."""
        return self._slots.window

    def is_reserved(self, lane: int) -> bool:
        """Return whether the lane is kept for interactive calls at the moment."""
        return self._slots.is_reserved(lane)

    @property
    def at_work(self) -> tuple[int, int]:
        """Return how many requests run, and how many may."""
        return self._slots.running, self._slots.room

    @property
    def reason(self) -> str:
        """Return why requests only wait; nothing if they do not."""
        return self._slots.reason or self._supervisor.reason

    async def run(self, work: Work[T]) -> T:
        """Return what comes of the work, or raise the TopluError that is its outcome.

        EngineGivenUp and EngineStopped alone say nothing about the request.
        """
        if work.resolve is not None:
            request = await self.read_documents(work.request, work.resolve, work.tier)
            if request is not work.request:
                work = replace(work, request=request)
        result = await self._attempts.run(work, await self._adapter.read(work))
        if work.tier is not Tier.BATCH and SPANS.are_made:
            note_answer(work.request, result)
        if isinstance(work, Stream) and result is not None:
            await work.send(result)
        made: T = result
        return made

    async def read_documents(
        self, request: GenerateContentRequest, resolve: Resolve, tier: Tier
    ) -> GenerateContentRequest:
        """Return the request without documents; a call waits for its turn to have them read."""
        if not any(find_attached(request)):
            return request
        limits = self._wait_limits.get(tier)
        async with nullcontext() if limits is None else limits.wait():
            return await resolve(request, self.model)

    async def forget(self, cache_id: str) -> None:
        """Have the engine forget what it computed of a cache; one that is down has forgotten."""
        engine = self._supervisor.engine
        if engine is not None:
            await self._adapter.forget(engine, cache_id)
