import contextlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from google import genai

from support.api.image_calls import BLIND, SEEING
from support.api.local_server import ECHO, LocalServer, OpenServer, client_of, http_of
from toplu.clock import Clock
from toplu.settings.server import Settings


@pytest.fixture
def open_test_server(tmp_path: Path) -> Iterator[OpenServer]:
    """Start a server with the echo engine and the settings given."""
    with ExitStack() as servers:

        def start(*, clock: Clock | None = None, **settings: Any) -> LocalServer:
            defaults = {"data_dir": tmp_path / "data", "models": (ECHO,), "drain_seconds": 0.1}
            values = defaults | settings
            return servers.enter_context(LocalServer(Settings(**values), clock))

        yield start


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """One server for the tests of a module that do not disturb each other.

    Such a module overrides `server` with it.
    """
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("server") / "data", models=(ECHO,), drain_seconds=0.1
    )
    with LocalServer(settings) as running:
        yield running


@pytest.fixture(scope="module")
def seeing_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """One server with a model that sees, under every Gemini name, and one that does not."""
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("server") / "data",
        models=(SEEING, BLIND),
        drain_seconds=0.1,
    )
    with LocalServer(settings) as running:
        yield running


@pytest.fixture
def server(open_test_server: OpenServer) -> LocalServer:
    return open_test_server()


@pytest.fixture
def client(server: LocalServer) -> Iterator[genai.Client]:
    with contextlib.closing(client_of(server)) as client:
        yield client


@pytest.fixture
def http(server: LocalServer) -> Iterator[httpx.Client]:
    """Raw HTTP with a key."""
    with http_of(server) as client:
        yield client


@pytest.fixture
def keyless(server: LocalServer) -> Iterator[httpx.Client]:
    """Raw HTTP without a key."""
    with http_of(server, key=None) as client:
        yield client
