"""How each kind of engine is brought to life; the supervisor sees no difference."""

from pathlib import Path

import structlog

from toplu.engines import model_source
from toplu.engines.echo import EchoEngine
from toplu.engines.echo_embedder import EchoEmbedder
from toplu.engines.embedder import Embedder
from toplu.engines.engine import Engine
from toplu.fleet.embedder_process import EmbedderProcess
from toplu.fleet.engine_process import EngineProcess
from toplu.fleet.running_engine import Death, Launch, RunningEngine
from toplu.settings import ModelSettings, Settings

log = structlog.get_logger()


class RunningEcho:
    """One life of an echo engine: it lives in this process and dies of its crash pattern."""

    pid = None

    def __init__(self, engine: EchoEngine) -> None:
        self.engine = engine

    async def wait_for_death(self) -> Death:
        await self.engine.dead.wait()
        return Death(exit_code=None, last_words="the echo engine met its crash pattern")

    def kill(self) -> None:
        self.engine.dead.set()

    async def stop(self) -> None:
        await self.engine.close()


class RunningEchoEmbedder:
    """One life of an echo embedder, as short as that of an echo engine."""

    pid = None

    def __init__(self, engine: EchoEmbedder) -> None:
        self.engine = engine

    async def wait_for_death(self) -> Death:
        await self.engine.dead.wait()
        return Death(exit_code=None, last_words="the echo embedder met its crash pattern")

    def kill(self) -> None:
        self.engine.dead.set()

    async def stop(self) -> None:
        await self.engine.close()


def launch_of(model: ModelSettings, settings: Settings) -> Launch[Engine]:
    """Return what starts the engine of `model`, each call a new life."""

    async def launch() -> RunningEngine[Engine]:
        match model.engine:
            case "echo":
                return RunningEcho(EchoEngine(model))
            case "llama_cpp":
                path = await _find_model(model, settings.model_dir)
                return await EngineProcess.start(model, path, settings)
            case "echo_embedder" | "onnx_embedder":
                raise AssertionError(f"{model.engine} makes no text")

    return launch


def launch_embedder_of(model: ModelSettings, settings: Settings) -> Launch[Embedder]:
    """Return what starts the embedder of `model`, each call a new life."""

    async def launch() -> RunningEngine[Embedder]:
        match model.engine:
            case "echo_embedder":
                return RunningEchoEmbedder(EchoEmbedder(model))
            case "onnx_embedder":
                path = await _find_model(model, settings.model_dir)
                return await EmbedderProcess.start(model, path, settings)
            case "echo" | "llama_cpp":
                raise AssertionError(f"{model.engine} makes no vectors")

    return launch


async def _find_model(model: ModelSettings, model_dir: Path) -> Path:
    return await model_source.pull(
        model,
        model_dir,
        lambda message: log.info("model_pull", engine=model.name, message=message),
    )
