"""The port of `metrics_port`, where monitors ask without a key: `/metrics`, and nothing else."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import msgspec
import structlog
from starlette.applications import Starlette
from starlette.types import ASGIApp

from toplu.api.http.metrics import Metrics
from toplu.api.http.middleware.browser_guard import BrowserGuard
from toplu.serving.http import HttpServer
from toplu.serving.sockets.listener import listen, url_of
from toplu.settings.hosts import is_loopback
from toplu.settings.server import Settings
from toplu.wiring.http_server import http_config

log = structlog.get_logger()

CONNECTIONS_MAX = 64


@contextlib.asynccontextmanager
async def metrics_port(settings: Settings, metrics: Metrics) -> AsyncIterator[None]:
    """Answer monitors while the body runs, if the settings have a port for it.

    ConfigurationError: the port cannot be had.
    """
    if settings.metrics_port is None:
        yield
        return
    at = msgspec.structs.replace(
        settings,
        host=settings.metrics_host,
        port=settings.metrics_port,
        connections_max=CONNECTIONS_MAX,
    )
    with listen(at.host, at.port, host_setting="metrics_host", port_setting="metrics_port") as it:
        http = HttpServer(http_config(_application(at, metrics), at))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(http.serve(sockets=[it]))
            log.info("metrics_ready", url=f"{url_of(it)}/metrics")
            try:
                yield
            finally:
                http.should_exit = True


def _application(at: Settings, metrics: Metrics) -> ASGIApp:
    app: ASGIApp = Starlette(routes=metrics.routes())
    if not is_loopback(at.host):
        return app  # whoever reaches it may ask, by any name
    return BrowserGuard(app, settings=at, accepts_any_key=_never)


async def _never() -> bool:
    return False
