"""The embedders that tests run."""

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest

from support.engines.listening_llama_cpp import CONTEXT_TOKENS, KEY, ListeningLlamaCpp
from support.model_tables import model_table
from support.server import Server
from toplu.engines.embedder import Embedder
from toplu.fleet.processes.engine_handle import Death, EngineHandle
from toplu.fleet.processes.launch import launch_embedder_of
from toplu.fleet.remote.launch import embedding_servers_of, launch_embedding_servers
from toplu.settings.remote import ServerSettings
from toplu.settings.server import DEFAULT_EMBEDDER, EchoSettings, Kind, ModelSettings, Settings

ECHO_EMBEDDER = ModelSettings(
    name="echo-embedder", engine="echo_embedder", context_tokens=256, dimensions=384
)
SLOW_ECHO_EMBEDDER = msgspec.structs.replace(ECHO_EMBEDDER, echo=EchoSettings(delay_seconds=600))
MINILM = msgspec.structs.replace(DEFAULT_EMBEDDER, threads=1)

# llama.cpp's own server as one that somebody else runs.
OPENAI_EMBEDDER = ModelSettings(
    name="remote",
    engine="openai_server",
    named_kind=Kind.EMBEDDING,
    servers=(ServerSettings(url="http://127.0.0.1:1/v1"),),
    context_tokens=CONTEXT_TOKENS,
)
# Another toplu, with the model that is onnx_embedder here.
GEMINI_EMBEDDER = ModelSettings(
    name="relayed",
    engine="gemini_server",
    named_kind=Kind.EMBEDDING,
    servers=(ServerSettings(url="http://127.0.0.1:1/v1beta", model=MINILM.name),),
)
LOCAL_KINDS = ["echo_embedder", pytest.param("onnx_embedder", marks=pytest.mark.model)]
KINDS = [
    *LOCAL_KINDS,
    pytest.param("openai_server", marks=pytest.mark.model),
    pytest.param("gemini_server", marks=pytest.mark.model),
]
AnyRunning = EngineHandle[Embedder]


class RunningRemote:
    """A remote embedder whose server a test may kill."""

    pid = None

    def __init__(self, server: ListeningLlamaCpp | Server, servers: AnyRunning) -> None:
        self._server = server
        self._servers = servers
        self._killed = asyncio.Event()
        self.engine = servers.engine

    def kill(self) -> None:
        self._server.kill()
        self._killed.set()

    async def wait_for_death(self) -> Death:
        await self._killed.wait()
        return Death(exit_code=None, last_words="")

    async def stop(self) -> None:
        await self._servers.stop()


@asynccontextmanager
async def launched_embedder_kind(
    kind: str, echo: ModelSettings = ECHO_EMBEDDER
) -> AsyncIterator[AnyRunning]:
    """Yield an embedder of the kind; `echo` is the model of that one."""
    if not kind.endswith("_server"):
        async with launched_embedder(echo if kind == echo.engine else MINILM) as embedder:
            yield embedder
        return
    with TemporaryDirectory() as folder:
        server: ListeningLlamaCpp | Server
        if kind == "openai_server":
            server = await asyncio.to_thread(ListeningLlamaCpp("embeddings").start)
            model, url = OPENAI_EMBEDDER, server.url
        else:
            there = Server(Path(folder) / "data", config=model_table(MINILM, lazy=False))
            server = await asyncio.to_thread(there.start)
            model, url = GEMINI_EMBEDDER, f"{server.url}/v1beta"
        key_file = Path(folder) / "key"
        key_file.write_text(KEY)
        settings = msgspec.structs.replace(model.servers[0], url=url, key_file=str(key_file))
        model = msgspec.structs.replace(model, servers=(settings,))
        running = await launch_embedding_servers(embedding_servers_of(model, Settings()))()
        try:
            yield RunningRemote(server, running)
        finally:
            await running.stop()
            server.kill()
            if isinstance(server, Server):
                server.close()


@asynccontextmanager
async def launched_embedder(model: ModelSettings) -> AsyncIterator[AnyRunning]:
    running = await launch_embedder_of(model, Settings())()
    try:
        yield running
    finally:
        await running.stop()


def cosine(first: Sequence[float], second: Sequence[float]) -> float:
    product = sum(a * b for a, b in zip(first, second, strict=True))
    return product / (math.hypot(*first) * math.hypot(*second))
