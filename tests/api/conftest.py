import contextlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from google import genai

from support.api.image_calls import BLIND, SEEING
from support.api.local_server import LocalServer, OpenServer, client_of, echo_server, http_of
from toplu.clock import Clock


@pytest.fixture
def open_test_server(tmp_path: Path) -> Iterator[OpenServer]:
    """Start a server with the echo engine and the settings given."""
    with ExitStack() as servers:

        def start(*, clock: Clock | None = None, **settings: Any) -> LocalServer:
            return servers.enter_context(echo_server(tmp_path, clock=clock, **settings))

        yield start


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """One server for the tests of a module that do not disturb each other.

    Such a module overrides `server` with it.
    """
    with echo_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="module")
def seeing_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """One server with a model that sees, under every Gemini name, and one that does not."""
    with echo_server(tmp_path_factory.mktemp("server"), models=(SEEING, BLIND)) as running:
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
