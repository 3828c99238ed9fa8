"""The server process: one port, one data folder, signals, and an orderly end.

SIGTERM or SIGINT drains: no request is started, those that run finish or go back after
`drain_seconds`, polls are answered until the end. A second signal ends the wait.
"""

import asyncio
import contextlib
import errno
import gc
import signal
import socket
from collections.abc import Iterator

import structlog
import uvicorn

from toplu.errors import ConfigurationError
from toplu.models.file_checks import check_files
from toplu.settings.hosts import is_loopback
from toplu.settings.server import Settings
from toplu.wiring.http_server import http_config
from toplu.wiring.server import Server, open_server

log = structlog.get_logger()

CONNECTIONS_WAITING_MAX = 2048


class HttpServer(uvicorn.Server):
    """uvicorn without its signal handlers: the drain decides when it ends."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bind(settings: Settings) -> socket.socket:
    """Return a listening socket, or raise ConfigurationError that says what is in the way."""
    try:
        family, *_, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(CONNECTIONS_WAITING_MAX)
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror}{_mend(error)}"
        ) from error
    listener.setblocking(False)
    return listener


def _mend(error: OSError) -> str:
    if error.errno in (errno.EADDRINUSE, errno.EACCES):
        return "; choose another port with --port, 0 for any that is free"
    return "; choose another address with --host"


async def serve(settings: Settings) -> None:
    """Run until a signal ends it; returns when everything is put away."""
    signals = Signals()
    await check_files(settings.models, settings.model_dir)
    listener = bind(settings)
    host, port = listener.getsockname()[:2]
    local = is_loopback(settings.host)
    async with open_server(settings, any_key_until_first=local) as server:
        if not await server.keys.any_exist():
            if not local:
                raise ConfigurationError(
                    f"host {settings.host} can be reached by other machines and there is no API "
                    "key: make one with `toplu keys create`, or listen on 127.0.0.1"
                )
            log.warning("any_key_works", reason="no key has been made, and only this machine asks")
        # What is loaded by now stays. To search it for garbage holds up every call, for as long as
        # some fifty of them take.
        gc.collect()
        gc.freeze()
        named = f"[{host}]" if ":" in host else host
        log.info("server_ready", url=f"http://{named}:{port}", data_dir=str(settings.data_dir))
        await _run(HttpServer(http_config(server.app, settings)), server, listener, signals)
    log.info("server_stopped")


async def _run(
    http: HttpServer, server: Server, listener: socket.socket, signals: "Signals"
) -> None:
    async with asyncio.TaskGroup() as tasks:
        working = tasks.create_task(server.pipeline.work())
        answering = tasks.create_task(http.serve(sockets=[listener]))
        await signals.wait()
        log.info("server_draining")
        draining = tasks.create_task(server.pipeline.drain())
        impatient = tasks.create_task(signals.wait())
        await asyncio.wait({draining, impatient}, return_when=asyncio.FIRST_COMPLETED)
        impatient.cancel()
        server.pipeline.stop_requests()
        await draining
        http.should_exit = True
        await answering
        working.cancel()


class Signals:
    """SIGTERM and SIGINT as something to wait for."""

    def __init__(self) -> None:
        self._arrived = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._arrived.set)

    async def wait(self) -> None:
        """Return at the next signal."""
        await self._arrived.wait()
        self._arrived.clear()
