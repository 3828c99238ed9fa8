"""Makes attempts at some work on an engine, and a further one when the engine does not survive it.

quarantine ──▶ slot ──▶ ready engine ──▶ attempt
    ▲ alone                                  │
    └───────────── suspect ◀── engine died ──┘

What a remote server did not take is tried again as often as it must be, what it did not answer
whole a bounded number of times. So is what is preempted: an attempt that ends so is no outcome,
and so is not recorded, counted or charged.
"""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Generic, TypeVar

import structlog

from toplu.engines.engine import EngineDied
from toplu.engines.http.fault import ServerFault
from toplu.errors import Unavailable
from toplu.fleet.attempts.budget import BROKEN_OFF, AttemptBudget
from toplu.fleet.lanes.claim import Claim, Preempted
from toplu.fleet.lanes.lanes import Slots
from toplu.fleet.lanes.quarantine import Quarantine
from toplu.fleet.lanes.wait_limits import WaitBudget, WaitLimits
from toplu.fleet.processes.engine_handle import AnyEngine
from toplu.fleet.processes.supervisor import Supervisor
from toplu.fleet.work import Attempt, Tier, Work
from toplu.settings.model import ModelSettings
from toplu.tracing import names
from toplu.tracing.spans import SPANS, Value

log = structlog.get_logger()

T = TypeVar("T")


class Attempts(Generic[AnyEngine]):
    """Makes the attempts at all work of one model."""

    def __init__(
        self,
        *,
        model: ModelSettings,
        supervisor: Supervisor[AnyEngine],
        slots: Slots,
        wait_limits: Mapping[Tier, WaitLimits],
        crashes_max: int,
        preemptions_max: int,
    ) -> None:
        self._model = model
        self._supervisor = supervisor
        self._slots = slots
        self._wait_limits = wait_limits
        self._crashes_max = crashes_max
        self._preemptions_max = preemptions_max
        self._quarantine = Quarantine()

    async def run(self, work: Work[Any], attempt: Attempt[AnyEngine, T]) -> T:
        """Return what an attempt at the work returns, or raise the work's outcome.

        A call of a batch waits as long as it takes. EngineStopped is no outcome: the engine's
        life has ended, and another life of the server will do the work.
        """
        claim = Claim(
            interactive=work.tier.is_interactive,
            has_priority=work.tier is Tier.PRIORITY,
            may_stop=lambda: work.may_repeat,
            lane=work.lane,
            takes_lane=work.takes_lane,
            preemptions_max=self._preemptions_max,
        )
        limits = self._wait_limits.get(work.tier)
        wait = None if limits is None else limits.budget()
        budget = AttemptBudget(
            crashes_max=self._crashes_max,
            losses_max=self._model.remote.attempts_max,
            log=partial(log.bind, engine=self._model.name, label=work.label),
        )
        while True:
            try:
                return await self._try(attempt, claim, wait, budget)
            except (EngineDied, ServerFault) as error:
                budget.note(error, may_repeat=work.may_repeat)
            except Preempted as error:
                if not work.may_repeat:
                    # Its first chunk and the call that has its slot came at the same moment.
                    raise Unavailable(BROKEN_OFF) from error
                budget.log().debug("request_preempted", preemptions=claim.preemptions)

    async def _try(
        self,
        attempt: Attempt[AnyEngine, T],
        claim: Claim,
        wait: WaitBudget | None,
        budget: AttemptBudget,
    ) -> T:
        """Make one attempt on a lane of a ready engine."""
        passage = self._quarantine.pass_through(alone=budget.crashes > 0)
        if wait is None:
            async with passage, self._slots.slot(claim) as lane:
                return await self._ask(attempt, await self._supervisor.ready(), lane, budget)
        # The patience is with the waiting alone, which ends before what is held does.
        async with AsyncExitStack() as held:
            async with wait.waiting():
                await held.enter_async_context(passage)
                lane = await held.enter_async_context(self._slots.slot(claim))
                engine = await self._supervisor.ready()
            values: dict[str, Value] = {names.ENGINE: self._model.name, names.LANE: lane}
            with SPANS.inner("ask engine", values):
                return await self._ask(attempt, engine, lane, budget)

    async def _ask(
        self, attempt: Attempt[AnyEngine, T], engine: AnyEngine, lane: int, budget: AttemptBudget
    ) -> T:
        """Ask the engine; report it if it dies of it."""
        if budget.crashes:
            budget.log().info("request_runs_alone", crashes=budget.crashes)
        try:
            return await attempt(engine, lane)
        except EngineDied:
            # Before the slot is free, so that nobody else is sent to the dead engine.
            self._supervisor.report_death(engine)
            raise
