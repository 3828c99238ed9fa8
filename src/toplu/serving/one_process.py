"""`toplu serve --workers 0`: one process that answers calls and works."""

import asyncio

import structlog

from toplu.models.file_checks import check_files
from toplu.serving.draining import drain
from toplu.serving.garbage import freeze
from toplu.serving.http import HttpServer
from toplu.serving.sockets.listener import bind, url_of
from toplu.serving.sockets.metrics_port import metrics_port
from toplu.serving.stop_signals import StopSignals
from toplu.settings.hosts import is_loopback
from toplu.settings.server import Settings
from toplu.wiring.http_server import http_config
from toplu.wiring.server import open_server

log = structlog.get_logger()


async def serve_in_one_process(settings: Settings) -> None:
    """Run until a signal ends it; returns when everything is put away."""
    signals = StopSignals()
    await check_files(settings.models, settings.model_dir)
    with bind(settings) as listener:
        local = is_loopback(settings.host)
        async with open_server(settings, any_key_until_first=local) as server:
            freeze()
            log.info("server_ready", url=url_of(listener), data_dir=str(settings.data_dir))
            http = HttpServer(http_config(server.app, settings))
            async with metrics_port(settings, server.metrics), asyncio.TaskGroup() as tasks:
                working = tasks.create_task(server.pipeline.work())
                beside = tasks.create_task(server.work_beside())
                answering = tasks.create_task(http.serve(sockets=[listener]))
                await signals.wait()
                log.info("server_draining")
                await drain(server.pipeline, signals)
                http.should_exit = True
                await answering
                working.cancel()
                beside.cancel()
    log.info("server_stopped")
