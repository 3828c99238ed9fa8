"""Has the replicas there be that are wanted: says again and again how many, to whoever starts them.

rows, calls ──▶ demand ──▶ policy ──▶ Placement: local
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Protocol

import structlog

from toplu.clock import Clock
from toplu.placement.demand import Demands
from toplu.placement.policy import Policy

log = structlog.get_logger()

ROUND = timedelta(seconds=1)


class Placement(Protocol):
    """Starts replicas, each a worker of its own, keeps them alive, and ends them in good order."""

    async def place(self, wanted: Mapping[str, int]) -> None:
        """Have so many replicas of each model there be, soon; those of other models are ended.

        It is said again each second. Those that end are the last ones.
        """
        ...


class Placer:
    """The loop that places."""

    def __init__(
        self, *, clock: Clock, demands: Demands, policy: Policy, placement: Placement
    ) -> None:
        self._clock = clock
        self._demands = demands
        self._policy = policy
        self._placement = placement
        self._last: Mapping[str, int] = {}

    async def step(self) -> timedelta:
        """Place once."""
        now = self._clock.now()
        demands = await self._demands.of(await self._demands.cohorts(now))
        wanted = self._policy.wanted(demands, now)
        if wanted != self._last:
            log.info("replicas_wanted", replicas=wanted)
        self._last = wanted
        await self._placement.place(wanted)
        return ROUND
