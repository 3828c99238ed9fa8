"""All engines of this server."""

import asyncio

from toplu.clock import Clock
from toplu.engines.catalogue import Catalogue
from toplu.fleet.launch import launch_of
from toplu.fleet.pool import Pool
from toplu.fleet.supervisor import EngineState, Supervisor
from toplu.settings import Settings
from toplu.tools.grounding import Grounder


class Fleet:
    """One supervised engine, and the pool that shares it, for each model of the catalogue."""

    def __init__(
        self, settings: Settings, catalogue: Catalogue, clock: Clock, grounder: Grounder
    ) -> None:
        self._supervisors = {
            model.name: Supervisor(
                name=model.name,
                launch=launch_of(model, settings),
                clock=clock,
                start_attempts_max=settings.engine_start_attempts_max,
            )
            for model in catalogue.models
        }
        self._pools = {
            model.name: Pool(
                model=model,
                supervisor=self._supervisors[model.name],
                settings=settings,
                grounder=grounder,
            )
            for model in catalogue.models
        }

    async def run(self) -> None:
        """Keep the engines alive until cancelled; every child has ended when this returns.

        Cancel whoever calls the pools first: a batch call that is still waiting then does not
        return.
        """
        async with asyncio.TaskGroup() as group:
            for supervisor in self._supervisors.values():
                group.create_task(supervisor.run(), name=f"supervisor {supervisor.name}")

    def pool(self, engine_name: str) -> Pool:
        """Return the pool of a catalogue model; the catalogue has resolved the name before."""
        return self._pools[engine_name]

    def status(self) -> dict[str, EngineState]:
        """Return where each engine stands, by catalogue name."""
        return {name: supervisor.state for name, supervisor in self._supervisors.items()}
