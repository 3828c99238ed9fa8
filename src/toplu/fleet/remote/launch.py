"""How the servers of a remote engine are found and spoken to."""

import time
from collections.abc import Callable

from toplu.engines.embedder import Embedder
from toplu.engines.engine import Engine
from toplu.engines.openai_embedder import OpenaiEmbedder
from toplu.engines.openai_server import OpenaiServer
from toplu.fleet.remote.embedder import EmbedderClient, RemoteEmbedder
from toplu.fleet.remote.engine import EngineClient, RemoteEngine, RunningServers
from toplu.fleet.remote.group import ServerGroup
from toplu.fleet.remote.server import AnyClient
from toplu.fleet.running_engine import Launch, RunningEngine
from toplu.remote_settings import ServerSettings
from toplu.settings import ModelSettings, Settings


def servers_of(model: ModelSettings, settings: Settings) -> ServerGroup[EngineClient]:
    """Return the servers of a model that generates; ConfigurationError if a key is missing."""

    def connect(server: ServerSettings) -> EngineClient:
        return OpenaiServer.connect(server, model.remote, settings.request_seconds_max)

    return _group_of(model, connect)


def embedding_servers_of(model: ModelSettings, settings: Settings) -> ServerGroup[EmbedderClient]:
    """Return the servers of a model that embeds; ConfigurationError if a key is missing."""

    def connect(server: ServerSettings) -> EmbedderClient:
        seconds_max, dimensions = settings.request_seconds_max, model.dimensions
        return OpenaiEmbedder.connect(server, model.remote, seconds_max, dimensions=dimensions)

    return _group_of(model, connect)


def launch_servers(group: ServerGroup[EngineClient]) -> Launch[Engine]:
    """Return what begins a life of the engine that these servers are."""

    async def launch() -> RunningEngine[Engine]:
        await group.connect()
        return RunningServers(RemoteEngine(group), group)

    return launch


def launch_embedding_servers(group: ServerGroup[EmbedderClient]) -> Launch[Embedder]:
    """Return what begins a life of the embedder that these servers are."""

    async def launch() -> RunningEngine[Embedder]:
        await group.connect()
        return RunningServers(RemoteEmbedder(group), group)

    return launch


def _group_of(
    model: ModelSettings, connect: Callable[[ServerSettings], AnyClient]
) -> ServerGroup[AnyClient]:
    for server in model.servers:
        server.read_key()
    return ServerGroup(model, connect, now=time.monotonic)
