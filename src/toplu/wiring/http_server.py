"""Builds the HTTP server: uvicorn, with connections that are bounded."""

import resource
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import structlog
import uvicorn
from starlette.types import ASGIApp

from toplu.api.doors.connections import DoorConnection
from toplu.api.http.connections import Connection, Connections
from toplu.settings.server import Settings

log = structlog.get_logger()

SHUTDOWN_SECONDS = 10
DOOR_IDLE_SECONDS = 3600
# A connection may have a file beside it: an upload, a download.
FILES_PER_CONNECTION = 2
FILES_OF_THE_REST = 256  # the database, engines, jobs


def http_config(app: ASGIApp, settings: Settings) -> uvicorn.Config:
    """Return uvicorn's settings for the front door."""
    connections = Connections(count_max=_connections_max(settings))
    return _config(app, partial(Connection, settings=settings, connections=connections))


def door_config(app: ASGIApp, **tls: Path | None) -> uvicorn.Config:
    """Return uvicorn's settings for a worker's door, whose only client is the front door.

    It is the client that closes idle connections: one that the server closes could have a call on
    its way.
    """
    return _config(app, DoorConnection, timeout_keep_alive=DOOR_IDLE_SECONDS, **tls)


def _config(app: ASGIApp, protocol: Callable[..., Any], **more: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=cast("Any", protocol),  # called as a class would be
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        **more,
    )


def _connections_max(settings: Settings) -> int:
    """Return how many connections there are files for, having asked for as many as set."""
    wanted = settings.connections_max * FILES_PER_CONNECTION + FILES_OF_THE_REST
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return settings.connections_max
    affordable = max((soft - FILES_OF_THE_REST) // FILES_PER_CONNECTION, 1)
    log.warning(
        "connections_fewer",
        reason="the limit of open files (ulimit -n) does not allow connections_max",
        connections_max=settings.connections_max,
        connections=affordable,
    )
    return affordable
