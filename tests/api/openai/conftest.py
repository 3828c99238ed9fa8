import contextlib
from collections.abc import Iterator
from typing import Any

import httpx2 as httpx
import pytest

from support.api.local_server import ECHO, EMBEDDER, LocalServer, echo_server
from support.api.openai_calls import openai_client, openai_http


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """One server for the tests of a module, which do not disturb each other."""
    folder = tmp_path_factory.mktemp("server")
    with echo_server(folder, models=(ECHO, EMBEDDER)) as running:
        yield running


@pytest.fixture
def sdk(server: LocalServer) -> Iterator[Any]:
    with contextlib.closing(openai_client(server)) as client:
        yield client


@pytest.fixture
def http(server: LocalServer) -> Iterator[httpx.Client]:
    with openai_http(server) as client:
        yield client
