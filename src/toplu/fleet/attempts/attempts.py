"""Does work on an engine, and again when the engine does not survive it.

quarantine ──▶ place ──▶ ready engine ──▶ work
    ▲ alone                                │
    └──────────── suspect ◀── engine died ─┘

What a remote server did not take is done again as often as it must, what it did not answer whole
a bounded number of times. So is what is preempted: what it did until then is no outcome, and so is
not recorded, counted or charged.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, nullcontext
from typing import Generic, TypeVar

import structlog
from structlog.typing import FilteringBoundLogger

from toplu.engines.engine import EngineDied
from toplu.engines.http.fault import ServerFault
from toplu.errors import Unavailable
from toplu.fleet.attempts.budget import AttemptBudget
from toplu.fleet.lanes.claim import Claim, Preempted
from toplu.fleet.lanes.lanes import Slots
from toplu.fleet.lanes.quarantine import Quarantine
from toplu.fleet.lanes.wait_limits import WaitBudget, WaitLimits
from toplu.fleet.processes.engine_handle import AnyEngine
from toplu.fleet.processes.supervisor import EngineStopped, Supervisor
from toplu.settings.model import ModelSettings

log = structlog.get_logger()

BROKEN_OFF = "The engine died in the middle of the answer. Please try again later."

T = TypeVar("T")
# What is done on a lane of a ready engine, as often as it takes.
Work = Callable[[AnyEngine, int], Awaitable[T]]


class Attempts(Generic[AnyEngine]):
    """The tries of all requests for one model."""

    def __init__(
        self,
        *,
        model: ModelSettings,
        supervisor: Supervisor[AnyEngine],
        places: Slots,
        wait_limits: WaitLimits,
        crashes_max: int,
        preemptions_max: int,
    ) -> None:
        self._model = model
        self._supervisor = supervisor
        self._places = places
        self._wait_limits = wait_limits
        self._crashes_max = crashes_max
        self._preemptions_max = preemptions_max
        self._quarantine = Quarantine()

    async def do(
        self,
        work: Work[AnyEngine, T],
        *,
        interactive: bool,
        label: str | None,
        lane: int | None = None,
        takes_lane: bool = True,
        may_repeat: Callable[[], bool] = lambda: True,
    ) -> T:
        """Do the work, and again alone each time the engine dies of it or of its neighbours."""
        claim = Claim(
            interactive=interactive,
            lane=lane,
            takes_lane=takes_lane,
            preemptions_max=self._preemptions_max,
        )
        wait = self._wait_limits.budget() if interactive else None
        tries = AttemptBudget(
            crashes_max=self._crashes_max, losses_max=self._model.remote.attempts_max
        )

        def told() -> FilteringBoundLogger:
            bound: FilteringBoundLogger = log.bind(engine=self._model.name, label=label)
            return bound

        async def work_alone(engine: AnyEngine, taken: int) -> T:
            told().info("request_runs_alone", crashes=tries.crashes)
            return await work(engine, taken)

        while True:
            alone = tries.crashes > 0
            try:
                return await self._try(work_alone if alone else work, claim, wait, alone=alone)
            except (EngineDied, ServerFault) as error:
                if not may_repeat():
                    told().warning("answer_broken_off", reason=error.message)
                    raise Unavailable(BROKEN_OFF) from error
                tries.note(error, told())
            except Preempted:
                told().debug("request_preempted", preemptions=claim.preemptions)
            except EngineStopped:
                if interactive:
                    raise
                # Not an outcome of the request, so none is returned: whoever stopped the engine
                # is about to cancel this call, and another life of the server will answer it.
                await asyncio.Event().wait()

    async def _try(
        self, work: Work[AnyEngine, T], claim: Claim, wait: WaitBudget | None, *, alone: bool
    ) -> T:
        """Do the work on a lane of a ready engine; tell the supervisor if the engine dies of it.

        A call without a budget is one of a batch, and waits as long as it takes.
        """
        async with AsyncExitStack() as held:
            async with self._wait_limits.wait(wait) if wait else nullcontext():
                await held.enter_async_context(self._quarantine.pass_through(alone=alone))
                lane = await held.enter_async_context(self._places.place(claim))
                engine = await self._supervisor.ready()
            try:
                return await work(engine, lane)
            except EngineDied:
                # Before the place is free, so that nobody else is sent to the dead engine.
                self._supervisor.report_death(engine)
                raise
