"""A process that works: engines, the pipeline, and a door to them."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import structlog

from toplu.clock import random_id
from toplu.serving.draining import drain
from toplu.serving.garbage import freeze
from toplu.serving.hearing import bell_of, hearing, looking
from toplu.serving.http import HttpServer
from toplu.serving.sockets.door import config_of, open_door
from toplu.serving.sockets.metrics_port import metrics_port
from toplu.serving.stop_signals import StopSignals
from toplu.settings.replicas import Replicas, owned
from toplu.settings.server import Settings
from toplu.store.data_folder import DataFolder
from toplu.wiring.search import open_grounder
from toplu.wiring.shared_parts import SharedParts
from toplu.wiring.storage import open_storage
from toplu.wiring.worker import ID_LENGTH, Worker

log = structlog.get_logger()

NAME_LENGTH = 6  # of a worker's id, which is a part of its name where nobody gave it one


async def run_worker(
    settings: Settings,
    replicas: Replicas,
    signals: StopSignals,
    *,
    name: str | None = None,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Work until a signal ends it: the first drains, the second ends the wait for what runs.

    `name` is that of the process among those of its server; `ready` is called when the work begins.
    """
    async with (
        open_worker(settings, replicas, name) as opened,
        metrics_port(settings, opened.worker.metrics),
    ):
        worker, door = opened.worker, opened.door
        freeze()
        http = HttpServer(config_of(worker.door, settings))
        async with asyncio.TaskGroup() as tasks:
            working = tasks.create_task(worker.pipeline.work())
            answering = tasks.create_task(http.serve(sockets=[door]))
            await http.listening.wait()
            ready()
            await signals.wait()
            log.info("worker_draining")
            await drain(worker.pipeline, signals)
            http.should_exit = True
            await answering
            working.cancel()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenWorker:
    """A side that works, and where it is called."""

    worker: Worker
    door: socket.socket  # listens


@contextlib.asynccontextmanager
async def open_worker(
    settings: Settings, replicas: Replicas, name: str | None = None
) -> AsyncIterator[OpenWorker]:
    """Yield a side that works, over a data folder that is prepared."""
    data = DataFolder(settings.data_dir)
    worker_id, models = random_id(ID_LENGTH), owned(settings.models, replicas)
    async with (
        open_storage(data, settings.bucket, settings.store, upgrades=False) as storage,
        open_grounder(settings, data, storage.clock) as grounder,
    ):
        bell = bell_of(settings, storage, worker_id)
        parts = SharedParts.build(
            settings=settings,
            clock=storage.clock,
            storage=storage,
            process=name or f"worker-{worker_id[:NAME_LENGTH]}",
            ring=bell.ring,
        )
        with data.lives.hold(worker_id), open_door(settings, worker_id) as door:
            worker = Worker(parts, grounder, worker_id=worker_id, models=models, door=door.address)
            async with hearing(bell, parts.signals), looking(storage, parts.signals):
                await worker.pipeline.recover()
                try:
                    yield OpenWorker(worker=worker, door=door.listener)
                finally:
                    await worker.pipeline.end()
