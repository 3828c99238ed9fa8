"""No two processes take the same step of a job at once, and nothing stays with a dead one."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

from support.simulation.checkers import hold, owners_of
from support.simulation.server_in_time import ServerInTime
from toplu.batch.plan.planner import Orderer, Planner
from toplu.batch.results.assembler import Assembler

STEPS = ((Planner, "_plan"), (Orderer, "_order"), (Assembler, "_finish"))
# Two rounds of those that look for dead workers, of which a fault may spoil one.
FOUND_DEAD_WITHIN = 12.0


@contextlib.contextmanager
def steps_watched(server: ServerInTime) -> Iterator[None]:
    """Have the history end at the step that another process, which lives, is at already."""
    at: dict[tuple[str, str], asyncio.AbstractEventLoop] = {}

    def watched(take: Any) -> Any:
        async def step(self: Any, job: Any) -> None:
            here, key = asyncio.get_running_loop(), (take.__name__, job.id)
            other = at.get(key, here)
            if other is not here and server.lives_in(other) and not server.executions.leases_lapse:
                server.report(f"two processes are at {take.__name__} of {job.id}")
            at[key] = here
            try:
                await take(self, job)
            finally:
                at.pop(key, None)

        return step

    with contextlib.ExitStack() as patches:
        for kind, name in STEPS:
            patches.enter_context(mock.patch.object(kind, name, watched(getattr(kind, name))))
        yield


def check_owners(server: ServerInTime) -> None:
    """Raise Violated if something is held by a process that was killed a while ago."""
    for owner in owners_of(server.data):
        killed = server.killed.get(owner)
        if killed is not None:
            ago = server.clock_seconds - killed
            hold(that=ago < FOUND_DEAD_WITHIN, so=f"{owner} is dead for {ago:.1f} s, and holds")
