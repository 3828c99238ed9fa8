"""All engines of this server."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from toplu.clock import Clock
from toplu.fleet.adapters.adapter import Adapter
from toplu.fleet.adapters.prompt import PromptAdapter
from toplu.fleet.adapters.relay import RelayAdapter
from toplu.fleet.embedding.pool import EmbeddingPool
from toplu.fleet.lanes.lanes import Slots
from toplu.fleet.lanes.reserve import reserve_of
from toplu.fleet.pool import Pool
from toplu.fleet.processes.engine_handle import AnyEngine, Launch
from toplu.fleet.processes.launch import launch_embedder_of, launch_of
from toplu.fleet.processes.supervisor import Supervisor
from toplu.fleet.processes.vllm import VllmServers
from toplu.fleet.remote.engine import EngineClient
from toplu.fleet.remote.group import ServerGroup
from toplu.fleet.remote.launch import (
    embedding_servers_of,
    launch_embedding_servers,
    launch_relays,
    launch_servers,
    relays_of,
    servers_of,
)
from toplu.fleet.remote.server import Server
from toplu.fleet.remote.slots import ServerSlots
from toplu.metrics.measured import expect
from toplu.models.catalogue import Catalogue
from toplu.replica import EngineState
from toplu.settings.server import Kind, ModelSettings, Settings
from toplu.tools.grounding import Grounder


class Fleet:
    """One supervised engine, and the pool that shares it, for each model of the catalogue."""

    def __init__(
        self,
        settings: Settings,
        catalogue: Catalogue,
        clock: Clock,
        grounder: Grounder,
        prefixes: Path,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._grounder = grounder
        self._prefixes = prefixes
        self._when_changed: list[Callable[[], None]] = []
        self._supervisors: dict[str, Supervisor[Any]] = {}
        self._pools: dict[str, Pool[Any]] = {}
        self._embedding_pools: dict[str, EmbeddingPool] = {}
        self._groups: dict[str, ServerGroup[Any]] = {}
        self._vllms: dict[str, VllmServers] = {}
        for model in catalogue.models:
            expect(model.name)
            match model.kind:
                case Kind.GENERATION:
                    self._add_engine(model)
                case Kind.EMBEDDING:
                    self._add_embedder(model)

    def _add_engine(self, model: ModelSettings) -> None:
        if model.is_relayed:
            relays = relays_of(model, self._settings)
            gate = self._slots_of(model, relays)
            self._add_pool(model, launch_relays(relays), RelayAdapter(model), gate)
        elif model.runs_server:
            own = VllmServers(model, self._settings, self._clock, self._note_change)
            self._vllms[model.name] = own
            model = own.remote_model
            self._add_servers(model, servers_of(model, self._settings, own.key), own.ready)
        elif model.is_remote:
            self._add_servers(model, servers_of(model, self._settings))
        else:
            adapter = PromptAdapter(model, self._grounder)
            self._add_pool(model, launch_of(model, self._settings, self._prefixes), adapter)

    def _add_servers(
        self,
        model: ModelSettings,
        servers: ServerGroup[EngineClient],
        ready: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        adapter, slots = PromptAdapter(model, self._grounder), self._slots_of(model, servers)
        self._add_pool(model, launch_servers(servers, ready), adapter, slots)

    def _slots_of(self, model: ModelSettings, servers: ServerGroup[Any]) -> ServerSlots:
        self._groups[model.name] = servers
        return ServerSlots(servers, lanes=model.lanes, reserve=reserve_of(model, self._settings))

    def _add_pool(
        self,
        model: ModelSettings,
        launch: Launch[AnyEngine],
        adapter: Adapter[AnyEngine],
        slots: Slots | None = None,
    ) -> None:
        self._pools[model.name] = Pool(
            model=model,
            supervisor=self._supervisor_of(model, launch),
            adapter=adapter,
            slots=slots,
            settings=self._settings,
        )

    def _add_embedder(self, model: ModelSettings) -> None:
        slots: Slots | None = None
        launch = launch_embedder_of(model, self._settings)
        if model.is_remote:
            self._groups[model.name] = servers = embedding_servers_of(model, self._settings)
            slots = ServerSlots(servers, lanes=1, reserve=reserve_of(model, self._settings))
            launch = launch_embedding_servers(servers)
        self._embedding_pools[model.name] = EmbeddingPool(
            model=model,
            supervisor=self._supervisor_of(model, launch),
            slots=slots,
            settings=self._settings,
        )

    def _supervisor_of(
        self, model: ModelSettings, launch: Launch[AnyEngine]
    ) -> Supervisor[AnyEngine]:
        # A server that is away comes back, however long it takes.
        attempts_max = None if model.is_remote else self._settings.engine_start_attempts_max
        supervisor = Supervisor(
            name=model.name,
            launch=launch,
            clock=self._clock,
            start_attempts_max=attempts_max,
            lazy=model.lazy,
            became=self._note_change,
        )
        self._supervisors[model.name] = supervisor
        return supervisor

    def when_changed(self, listener: Callable[[], None]) -> None:
        """Have the listener called when the state of an engine has changed."""
        self._when_changed.append(listener)

    def _note_change(self) -> None:
        for listener in self._when_changed:
            listener()

    async def run(self) -> None:
        """Keep the engines alive until cancelled; every child has ended when this returns.

        A call that waits for an engine then has EngineStopped.
        """
        async with asyncio.TaskGroup() as group:
            for supervisor in self._supervisors.values():
                group.create_task(supervisor.run(), name=f"supervisor {supervisor.name}")
            for name, own in self._vllms.items():
                group.create_task(own.run(), name=f"vllms of {name}")
            for name, pool in self._embedding_pools.items():
                group.create_task(pool.run(), name=f"embedding pool {name}")

    def pool(self, engine_name: str) -> Pool[Any]:
        """Return the pool of a catalogue model; the catalogue has resolved the name before."""
        return self._pools[engine_name]

    async def forget_cache(self, engine_name: str, cache_id: str) -> None:
        """Forget what was computed of a cache; its model may have left the catalogue since."""
        if (pool := self._pools.get(engine_name)) is not None:
            await pool.forget(cache_id)

    def embedding_pool(self, engine_name: str) -> EmbeddingPool:
        """Return the pool of a catalogue model that makes vectors."""
        return self._embedding_pools[engine_name]

    def at_work(self) -> dict[str, tuple[int, int]]:
        """Return how many requests each engine runs and how many it may, by catalogue name."""
        pools: dict[str, Pool[Any] | EmbeddingPool] = {**self._pools, **self._embedding_pools}
        return {name: pool.at_work for name, pool in pools.items()}

    def servers(self) -> Iterator[tuple[str, Server[Any]]]:
        """Yield the servers of remote engines, each with the catalogue name of its model."""
        for name, group in self._groups.items():
            for server in group.servers:
                yield name, server

    def status(self) -> dict[str, EngineState]:
        """Return where each engine stands, by catalogue name."""
        return {name: supervisor.state for name, supervisor in self._supervisors.items()}

    def reasons(self) -> dict[str, str]:
        """Return why engines are not ready, or get no further, by catalogue name."""
        reasons = {name: supervisor.reason for name, supervisor in self._supervisors.items()}
        pools: dict[str, Pool[Any] | EmbeddingPool] = {**self._pools, **self._embedding_pools}
        reasons |= {name: own.reason for name, own in self._vllms.items() if own.reason}
        reasons |= {name: pool.reason for name, pool in pools.items() if pool.reason}
        return {name: reason for name, reason in reasons.items() if reason}
