"""The process that answers calls: the front door, and no engine."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable

from toplu.api.doors.cluster import ClusterKeys
from toplu.api.doors.elastic_models import ElasticModels
from toplu.api.doors.worker_doors import WorkerDoors
from toplu.clock import random_id
from toplu.serving.garbage import freeze
from toplu.serving.hearing import bell_of, hearing
from toplu.serving.http import HttpServer
from toplu.serving.sockets.metrics_port import metrics_port
from toplu.serving.stop_signals import StopSignals
from toplu.settings.hosts import is_loopback
from toplu.settings.server import Settings
from toplu.store.data_folder import DataFolder
from toplu.wiring.api import Api
from toplu.wiring.http_server import http_config
from toplu.wiring.shared_parts import SharedParts
from toplu.wiring.storage import open_storage

NAME_LENGTH = 16


async def run_api(
    settings: Settings,
    listener: socket.socket,
    signals: StopSignals,
    *,
    is_draining: Callable[[], bool] = lambda: False,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Answer calls on the listening socket until a signal ends it.

    `ready` is called when calls are answered.
    """
    async with open_api(settings, is_draining) as api:
        freeze()
        http = HttpServer(http_config(api.app, settings))
        async with metrics_port(settings, api.metrics), asyncio.TaskGroup() as tasks:
            answering = tasks.create_task(http.serve(sockets=[listener]))
            working = tasks.create_task(api.work())
            await http.listening.wait()
            ready()
            await signals.wait()
            http.should_exit = True
            await answering
            working.cancel()


@contextlib.asynccontextmanager
async def open_api(settings: Settings, is_draining: Callable[[], bool]) -> AsyncIterator[Api]:
    """Yield the side that answers calls, over a data folder that is prepared."""
    data = DataFolder(settings.data_dir)
    async with open_storage(data, settings.bucket, settings.store, upgrades=False) as storage:
        bell = bell_of(settings, storage, random_id(NAME_LENGTH))
        parts = SharedParts.build(
            settings=settings,
            clock=storage.clock,
            storage=storage,
            process="api",
            ring=bell.ring,
        )
        elastic = ElasticModels(settings, parts.signals)
        doors = WorkerDoors(parts.roster, elastic, ClusterKeys.of(settings.cluster))
        async with hearing(bell, parts.signals), contextlib.aclosing(doors), elastic.telling():
            yield Api(
                parts,
                doors=doors,
                is_draining=is_draining,
                any_key_until_first=is_loopback(settings.host),
            )
