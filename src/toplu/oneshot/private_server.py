"""A server for one process alone: in it, on a Unix socket that only its user may reach, no port."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from toplu.errors import ConfigurationError
from toplu.models.file_checks import check_files
from toplu.replica import EngineState
from toplu.serving.draining import drain
from toplu.serving.http import HttpServer
from toplu.serving.sockets.socket_folder import socket_folder
from toplu.serving.stop_signals import StopSignals
from toplu.settings.server import Settings
from toplu.wiring.http_server import http_config
from toplu.wiring.server import Server, open_server
from toplu.wiring.storage import open_folder

SOCKET = "private.sock"
CALLS_WAITING_MAX = 16
PATIENCE_SECONDS = 20.0  # for the first sign of life of a model's server


class PrivateServer:
    """A server that runs in this process; `socket` is where it answers."""

    def __init__(self, server: Server, socket_path: Path) -> None:
        self._server = server
        self.socket = socket_path

    def check_engines(self) -> None:
        """Raise ConfigurationError if an engine was given up."""
        reasons = self._server.fleet.reasons()
        for name, state in self._server.fleet.status().items():
            if state is EngineState.GIVEN_UP:
                raise ConfigurationError(f"the model {name} does not start: {reasons.get(name)}")

    def waiting_for(self) -> str | None:
        """Return why an engine is not ready, None when all are."""
        reasons = self._server.fleet.reasons()
        states = self._server.fleet.status()
        waiting = [name for name, state in states.items() if state is not EngineState.READY]
        return next((reasons.get(name, f"{name} is starting") for name in waiting), None)


@contextlib.asynccontextmanager
async def open_private_server(
    settings: Settings, signals: StopSignals
) -> AsyncIterator[PrivateServer]:
    """Yield a server that works and answers; at the end what runs may finish, and goes back else.

    A further signal meanwhile ends the wait for what runs.
    """
    await check_files(settings.models, settings.model_dir)
    open_folder(settings)
    path = socket_folder(settings.data_dir) / SOCKET
    async with open_server(settings, any_key_until_first=True) as server:
        http = HttpServer(http_config(server.app, settings))
        with _listening(path) as listener:
            async with asyncio.TaskGroup() as tasks:
                working = tasks.create_task(server.pipeline.work())
                answering = tasks.create_task(http.serve(sockets=[listener]))
                await http.listening.wait()
                private = PrivateServer(server, path)
                try:
                    yield private
                finally:
                    # What an engine has that is not there will not finish.
                    hurries = private.waiting_for() is not None
                    await drain(server.pipeline, signals, hurries=hurries)
                    http.should_exit = True
                    await answering
                    working.cancel()


@contextlib.contextmanager
def _listening(path: Path) -> Iterator[socket.socket]:
    path.unlink(missing_ok=True)  # of a process that was killed
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(CALLS_WAITING_MAX)
        listener.setblocking(False)
        try:
            yield listener
        finally:
            path.unlink(missing_ok=True)
            path.parent.rmdir()  # it may lie outside of the folder that the server has
