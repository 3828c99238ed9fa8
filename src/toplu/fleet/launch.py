"""How each kind of engine is brought to life; the supervisor sees no difference."""

from pathlib import Path

import structlog

from toplu.engines import model_source
from toplu.engines.echo import EchoEngine
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


def launch_of(model: ModelSettings, settings: Settings) -> Launch:
    """Return what starts the engine of `model`, each call a new life."""

    async def launch() -> RunningEngine:
        match model.engine:
            case "echo":
                return RunningEcho(EchoEngine(model))
            case "llama_cpp":
                path = await _find_model(model, settings.model_dir)
                return await EngineProcess.start(model, path, settings)

    return launch


async def _find_model(model: ModelSettings, model_dir: Path) -> Path:
    return await model_source.pull(
        model,
        model_dir,
        lambda message: log.info("model_pull", engine=model.name, message=message),
    )
