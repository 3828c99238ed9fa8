"""How the servers of a remote engine are found and spoken to."""

import time

from toplu.engines.engine import Engine
from toplu.engines.openai_server import OpenaiServer
from toplu.fleet.remote.engine import EngineClient, RemoteEngine, RunningServers
from toplu.fleet.remote.group import ServerGroup
from toplu.fleet.running_engine import Launch, RunningEngine
from toplu.remote_settings import ServerSettings
from toplu.settings import ModelSettings, Settings


def servers_of(model: ModelSettings, settings: Settings) -> ServerGroup[EngineClient]:
    """Return the servers of a model that generates; ConfigurationError if a key is missing."""

    def connect(server: ServerSettings) -> EngineClient:
        return OpenaiServer.connect(server, model.remote, settings.request_seconds_max)

    for server in model.servers:
        server.read_key()
    return ServerGroup(model, connect, now=time.monotonic)


def launch_servers(group: ServerGroup[EngineClient]) -> Launch[Engine]:
    """Return what begins a life of the engine that these servers are."""

    async def launch() -> RunningEngine[Engine]:
        await group.connect()
        return RunningServers(RemoteEngine(group), group)

    return launch
