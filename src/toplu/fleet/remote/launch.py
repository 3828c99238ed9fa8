"""Finds the servers of a remote engine and opens their clients."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

from toplu.engines.embedder import Embedder
from toplu.engines.engine import Engine
from toplu.engines.gemini.embedder import GeminiEmbedder
from toplu.engines.gemini.relay import GeminiRelay
from toplu.engines.openai.embedder import OpenaiEmbedder
from toplu.engines.openai.engine import OpenaiEngine
from toplu.engines.relay import Relay
from toplu.fleet.processes.engine_handle import AnyEngine, EngineHandle, Launch
from toplu.fleet.remote.embedder import EmbedderClient, RemoteEmbedder
from toplu.fleet.remote.engine import EngineClient, RemoteEngine, RunningServers
from toplu.fleet.remote.group import ServerGroup
from toplu.fleet.remote.relay import RelayClient, RemoteRelay
from toplu.fleet.remote.server import AnyClient
from toplu.settings.remote import Secret, ServerSettings
from toplu.settings.server import ModelSettings, Settings


def servers_of(
    model: ModelSettings, settings: Settings, key: Secret | None = None
) -> ServerGroup[EngineClient]:
    """Return the servers of a model that generates, with their key or those of the settings.

    ConfigurationError: a key is missing.
    """

    def connect(server: ServerSettings) -> EngineClient:
        return OpenaiEngine.connect(server, model.remote, settings.request_seconds_max, key)

    return _group_of(model, connect)


def relays_of(model: ModelSettings, settings: Settings) -> ServerGroup[RelayClient]:
    """Return the same of a model whose servers are asked in requests."""

    def connect(server: ServerSettings) -> RelayClient:
        return GeminiRelay.connect(server, model.remote, settings.request_seconds_max)

    return _group_of(model, connect)


def embedding_servers_of(model: ModelSettings, settings: Settings) -> ServerGroup[EmbedderClient]:
    """Return the same of a model that embeds."""

    def connect(server: ServerSettings) -> EmbedderClient:
        client = GeminiEmbedder if model.is_relayed else OpenaiEmbedder
        seconds_max, dimensions = settings.request_seconds_max, model.dimensions
        return client.connect(server, model.remote, seconds_max, dimensions=dimensions)

    return _group_of(model, connect)


def launch_servers(
    group: ServerGroup[EngineClient], ready: Callable[[], Awaitable[None]] | None = None
) -> Launch[Engine]:
    """Return what begins a life of the engine that these servers are, once they are `ready`."""
    launch: Launch[Engine] = _launch_of(group, RemoteEngine(group))
    if ready is None:
        return launch

    async def launch_when_ready() -> EngineHandle[Engine]:
        await ready()
        return await launch()

    return launch_when_ready


def launch_relays(group: ServerGroup[RelayClient]) -> Launch[Relay]:
    """Return the same of servers that are asked in requests."""
    return _launch_of(group, RemoteRelay(group))


def launch_embedding_servers(group: ServerGroup[EmbedderClient]) -> Launch[Embedder]:
    """Return the same of the embedder that they are."""
    return _launch_of(group, RemoteEmbedder(group))


def _group_of(
    model: ModelSettings, connect: Callable[[ServerSettings], AnyClient]
) -> ServerGroup[AnyClient]:
    for server in model.servers:
        server.read_key()
    return ServerGroup(model, connect, now=time.monotonic)


def _launch_of(group: ServerGroup[Any], engine: AnyEngine) -> Launch[AnyEngine]:
    async def launch() -> EngineHandle[AnyEngine]:
        await group.connect()
        return RunningServers(engine, group)

    return launch
