"""`toplu api`, `toplu worker`, `toplu migrate`: the processes of a server, each by itself.

They share a data folder with others that say the same. Its rows are brought up to date by who has
it alone: `toplu migrate`, or `toplu serve`.
"""

from collections.abc import Callable, Sequence

import structlog

from toplu.errors import ConfigurationError
from toplu.models.file_checks import check_files
from toplu.serving.api_process import run_api
from toplu.serving.sockets.listener import bind, url_of
from toplu.serving.stop_signals import StopSignals
from toplu.serving.worker_process import run_worker
from toplu.settings.mistakes import suggest
from toplu.settings.model import ModelSettings
from toplu.settings.server import Settings
from toplu.store.replica_locks import ReplicaLocks
from toplu.wiring.preparation import check_keys, prepare
from toplu.wiring.storage import open_folder, open_storage

log = structlog.get_logger()


async def run_api_alone(settings: Settings) -> None:
    """Answer calls until a signal ends it."""
    signals = StopSignals()
    data = open_folder(settings)
    with data.shared(), bind(settings) as listener:
        async with open_storage(data, settings.bucket, settings.store, upgrades=False) as storage:
            await check_keys(settings, storage)
        url = url_of(listener)
        await run_api(settings, listener, signals, ready=_telling("server_ready", url=url))
    log.info("server_stopped")


async def run_worker_alone(settings: Settings, names: Sequence[str]) -> None:
    """Work until a signal ends it, with one replica of each of the models that is free."""
    signals = StopSignals()
    models = _named(settings, names)
    await check_files(models, settings.model_dir)
    data = open_folder(settings)
    with data.shared(), ReplicaLocks(data.replicas) as locks:
        replicas = {
            model.name: [number]
            for model in models
            if (number := locks.take(model.name, model.replicas_most)) is not None
        }
        for model in models:
            if model.name not in replicas:
                log.warning("replicas_taken", model=model.name, replicas=model.replicas_most)
        await run_worker(settings, replicas, signals, ready=_telling("worker_ready"))
    log.info("server_stopped")


async def migrate(settings: Settings) -> None:
    """Bring a data folder up to date that nobody works on."""
    data = open_folder(settings)
    with data.owned():
        await prepare(settings, data)


def _named(settings: Settings, names: Sequence[str]) -> Sequence[ModelSettings]:
    known = {model.name: model for model in settings.models}
    for name in names:
        if name not in known:
            raise ConfigurationError(f"--models: there is no model {name}{suggest(name, known)}")
    return [known[name] for name in dict.fromkeys(names)] or settings.models


def _telling(event: str, **fields: str) -> Callable[[], None]:
    return lambda: log.info(event, **fields)
