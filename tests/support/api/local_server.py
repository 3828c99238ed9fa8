"""A whole server inside the test process: real HTTP on a free port, the echo engine behind it."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import httpx2 as httpx
import uvicorn
from google import genai

from support.bucket import own_part
from support.clients import http_client, sdk_client
from support.store.migrated import put_migrated
from support.store.running_postgres import RunningPostgres
from support.waiting import PATIENCE_SECONDS
from toplu.clock import Clock
from toplu.settings.server import EchoSettings, ModelSettings, Settings, StoreSettings
from toplu.settings.storage.bucket import BucketSettings
from toplu.store.data_folder import DataFolder
from toplu.wiring.http_server import http_config
from toplu.wiring.server import Server, open_server

ECHO = ModelSettings(
    name="echo",
    aliases=("gemini-2.5-flash", "gemini-2.5-pro", "gemini-*"),
    engine="echo",
    lanes=4,
    echo=EchoSettings(fail_pattern="please fail", crash_pattern="please crash"),
)

EMBEDDER = ModelSettings(
    name="echo-embedder", aliases=("gemini-embedding-*",), engine="echo_embedder", dimensions=8
)

# Its one lane is busy for an hour with whatever it is asked.
SLOW = ModelSettings(
    name="slow",
    aliases=("gemini-*",),
    engine="echo",
    lanes=1,
    echo=EchoSettings(delay_seconds=3600),
)

# What a call may be answered with when nothing is broken.
SERVER_ERRORS = {501, 503, 504}


class Quiet(uvicorn.Server):
    """Leaves signals alone, and ends at once when it is asked to instead of at its next tick."""

    def __init__(self, config: uvicorn.Config, stop: asyncio.Event) -> None:
        super().__init__(config)
        self._stop = stop

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self._stop.wait()


class LocalServer:
    """A server on a thread of its own, to be called with blocking clients."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self._settings = settings
        self._clock = clock  # None: that of the rows
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._error: BaseException | None = None
        self.url = ""

    def __enter__(self) -> Self:
        if not self._settings.store.is_shared:
            put_migrated(DataFolder(self._settings.data_dir).database)
        self._thread.start()
        assert self._started.wait(PATIENCE_SECONDS), "the server did not start"
        if self._error is not None:
            raise self._error
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive(), "the server did not stop"
        if self._error is not None:
            raise self._error

    def call(self, work: Any) -> Any:
        """Run a coroutine on the server's loop, and return what it returns."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_SECONDS)

    @property
    def open_connections(self) -> int:
        return len(self._http.server_state.connections)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001  # raised again by the test
            self._error = error
        finally:
            self._started.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        async with open_server(
            self._settings, any_key_until_first=True, clock=self._clock
        ) as self.server:
            await self._answer(self.server)

    async def _answer(self, server: Server) -> None:
        config = http_config(server.app, self._settings)
        config.port = 0
        self._http = http = Quiet(config, ends := asyncio.Event())
        async with asyncio.TaskGroup() as tasks:
            working = tasks.create_task(server.pipeline.work())
            answering = tasks.create_task(http.serve())
            while not http.started:
                await asyncio.sleep(0.01)
            port = http.servers[0].sockets[0].getsockname()[1]
            self.url = f"http://127.0.0.1:{port}"
            self._started.set()
            await self._stop.wait()
            await server.pipeline.drain()
            ends.set()
            await answering
            working.cancel()


OpenServer = Callable[..., LocalServer]


class Stores:
    """Gives servers their rows and bytes: each its own, the same again for the same folder."""

    def __init__(self) -> None:
        self.postgres: RunningPostgres | None = None  # where rows are in this run of tests
        self.bucket: BucketSettings | None = None  # where bytes are
        self._urls: dict[Path, str] = {}

    def of(self, folder: Path) -> dict[str, Any]:
        stores: dict[str, Any] = {}
        if self.bucket is not None:
            stores["bucket"] = own_part(self.bucket, folder)
        if self.postgres is not None:
            if folder not in self._urls:
                self._urls[folder] = self.postgres.copy()
            stores["store"] = StoreSettings(url=self._urls[folder], connections_max=4)
        return stores


stores = Stores()


def echo_server(folder: Path, *, clock: Clock | None = None, **settings: Any) -> LocalServer:
    """Return a server with its data in the folder, to be started by `with`.

    It has the echo engine and the defaults, but for the settings given.
    """
    usual: dict[str, Any] = {"data_dir": folder / "data", "models": (ECHO,), "drain_seconds": 0.1}
    return LocalServer(Settings(**usual | stores.of(folder) | settings), clock)


def http_of(server: LocalServer, key: str | None = "any") -> httpx.Client:
    """Return a client for raw HTTP."""
    return http_client(server.url, key)


def client_of(server: LocalServer, key: str = "any") -> genai.Client:
    return sdk_client(server.url, key)
