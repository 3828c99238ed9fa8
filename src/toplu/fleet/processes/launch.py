"""Starts each kind of engine; the supervisor sees no difference."""

import asyncio
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import structlog

from toplu.engines.echo.embedder import EchoEmbedder
from toplu.engines.echo.engine import EchoEngine
from toplu.engines.embedder import Embedder
from toplu.engines.engine import Engine
from toplu.fleet.processes.embedder import start_embedder
from toplu.fleet.processes.engine_handle import Closable, Death, EngineHandle, Launch
from toplu.fleet.processes.llama_cpp import start_llama_cpp
from toplu.models.fetching import pull
from toplu.models.sources import projector_of
from toplu.settings.server import ModelSettings, Settings

log = structlog.get_logger()


class Echo(Closable, Protocol):
    """An engine that lives in this process and dies of its crash pattern."""

    @property
    def dead(self) -> asyncio.Event: ...


AnyEcho = TypeVar("AnyEcho", bound=Echo)


class RunningEcho(Generic[AnyEcho]):
    """One life of an echo engine or embedder."""

    pid = None

    def __init__(self, engine: AnyEcho) -> None:
        self.engine = engine

    async def wait_for_death(self) -> Death:
        await self.engine.dead.wait()
        return Death(exit_code=None, last_words="the echo met its crash pattern")

    def kill(self) -> None:
        self.engine.dead.set()

    async def stop(self) -> None:
        await self.engine.close()


def launch_of(model: ModelSettings, settings: Settings, prefixes: Path) -> Launch[Engine]:
    """Return what starts the engine of `model`, each call a new life.

    `prefixes` is the folder of what this process's engines compute of caches.
    """

    async def launch() -> EngineHandle[Engine]:
        match model.engine:
            case "echo":
                return RunningEcho(EchoEngine(model))
            case "llama_cpp":
                path = await _find_model(model, settings)
                projector_path = None
                if (projector := projector_of(model)) is not None:
                    projector_path = await _find_model(projector, settings)
                return await start_llama_cpp(
                    model, path, settings, prefixes=prefixes, projector_path=projector_path
                )
            case "openai_server" | "gemini_server" | "vllm":
                raise AssertionError("servers are not launched, see fleet.remote")
            case "echo_embedder" | "onnx_embedder":
                raise AssertionError(f"{model.engine} makes no text")

    return launch


def launch_embedder_of(model: ModelSettings, settings: Settings) -> Launch[Embedder]:
    """Return what starts the embedder of `model`, each call a new life."""

    async def launch() -> EngineHandle[Embedder]:
        match model.engine:
            case "echo_embedder":
                return RunningEcho(EchoEmbedder(model))
            case "onnx_embedder":
                path = await _find_model(model, settings)
                return await start_embedder(model, path, settings)
            case "openai_server" | "gemini_server":
                raise AssertionError("servers are not launched, see fleet.remote")
            case "echo" | "llama_cpp" | "vllm":
                raise AssertionError(f"{model.engine} makes no vectors")

    return launch


async def _find_model(model: ModelSettings, settings: Settings) -> Path:
    return await pull(
        model,
        settings,
        lambda message: log.info("model_pull", engine=model.name, message=message),
    )
