"""The engines that tests run, and what they are asked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest

from toplu.engines.engine import EngineDied
from toplu.engines.http.fault import ServerFault
from toplu.engines.prompt import Prompt, Sampling, Turn
from toplu.fleet.processes.engine_handle import Death, EngineHandle
from toplu.fleet.processes.launch import launch_of
from toplu.fleet.remote.launch import launch_servers, servers_of
from toplu.settings.remote import RemoteSettings, ServerSettings
from toplu.settings.server import DEFAULT_MODEL, EchoSettings, ModelSettings, Settings
from toplu.structured.bounds import SchemaBounds
from toplu.structured.response_format import read_structure
from toplu.structured.structure import Structure
from toplu.wire.gemini import proto_json
from toplu.wire.gemini.content import GenerationConfig

CONTEXT_TOKENS = 512
LANES = 2

ECHO = ModelSettings(
    name="echo",
    engine="echo",
    context_tokens=CONTEXT_TOKENS,
    lanes=LANES,
    echo=EchoSettings(delay_seconds=0.01),
)
SLOW_ECHO = ModelSettings(
    name="slow-echo", engine="echo", lanes=LANES, echo=EchoSettings(delay_seconds=600)
)
LLAMA_CPP = ModelSettings(
    name=DEFAULT_MODEL.name,
    engine="llama_cpp",
    source=DEFAULT_MODEL.source,
    sha256=DEFAULT_MODEL.sha256,
    context_tokens=CONTEXT_TOKENS,
    lanes=LANES,
    # Threads that wait for each other are slow wherever something else runs.
    threads=1,
)

# SmolLM2 was never taught to think. A template that opens a thought makes it write one, and the
# budget ends it: all of llama.cpp's part in thinking is at work.
THINKING_TEMPLATE = Path(__file__).with_name("thinking.jinja")
TOOLS_TEMPLATE = Path(__file__).with_name("tools.jinja")


def a_prompt(
    text: str, *, tokens_max: int = 8, candidates: int = 1, stop: tuple[str, ...] = (), **values
) -> Prompt:
    sampling = {"temperature": 0.0, "top_p": 1.0, "top_k": 0, "seed": 7} | values
    return Prompt(
        turns=(Turn("user", text),),
        sampling=Sampling(output_tokens_max=tokens_max, stop_sequences=stop, **sampling),
        candidate_count=candidates,
    )


def structure_of(config: dict[str, Any]) -> Structure:
    structure = read_structure(proto_json.read_value(GenerationConfig, config), SchemaBounds())
    assert structure is not None
    return structure


# llama.cpp's own server as one that somebody else runs.
OPENAI_SERVER = ModelSettings(
    name="remote",
    engine="openai_server",
    servers=(ServerSettings(url="http://127.0.0.1:1/v1"),),
    context_tokens=CONTEXT_TOKENS,
    remote=RemoteSettings(structured="llguidance", always_stream=True),
)

# What a call raises whose engine goes away, for whatever reason.
GONE = (EngineDied, ServerFault)
KINDS = [
    "echo",
    pytest.param("llama_cpp", marks=pytest.mark.model),
    pytest.param("openai_server", marks=pytest.mark.model),
]


class RunningRemote:
    """A remote engine whose server a test may kill."""

    def __init__(self, server: EngineHandle, servers: EngineHandle) -> None:
        self._server = server
        self._servers = servers
        self.engine = servers.engine
        self.pid = server.pid

    def kill(self) -> None:
        self._server.kill()

    async def wait_for_death(self) -> Death:
        return await self._server.wait_for_death()

    async def stop(self) -> None:
        await self._servers.stop()


@asynccontextmanager
async def launched_kind(
    kind: str, echo: ModelSettings = ECHO, llama_cpp: ModelSettings = LLAMA_CPP
) -> AsyncIterator[EngineHandle]:
    """Yield an engine of the kind, with the first model or the second."""
    match kind:
        case "echo":
            async with launched(echo) as running:
                yield running
        case "openai_server":
            async with launched(llama_cpp) as server, remote_of(server) as running:
                yield running
        case _:
            async with launched(llama_cpp) as running:
                yield running


@asynccontextmanager
async def remote_of(
    server: EngineHandle, model: ModelSettings = OPENAI_SERVER
) -> AsyncIterator[EngineHandle]:
    """Yield the remote engine of a running llama.cpp, by its address and key."""
    url = f"{server.engine.address}/v1"
    with TemporaryDirectory() as folder:
        key_file = Path(folder) / "key"
        key_file.write_text(server.engine.api_key)
        model = msgspec.structs.replace(
            model, servers=(ServerSettings(url=url, key_file=str(key_file)),)
        )
        running = await launch_servers(servers_of(model, Settings()))()
    try:
        yield RunningRemote(server, running)
    finally:
        await running.stop()


@asynccontextmanager
async def launched(model: ModelSettings) -> AsyncIterator[EngineHandle]:
    with TemporaryDirectory() as folder:
        running = await launch_of(model, Settings(), Path(folder))()
        try:
            yield running
        finally:
            await running.stop()
