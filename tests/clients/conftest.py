import contextlib
from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import pytest
from msgspec.structs import replace

from support.api.local_server import ECHO, EMBEDDER, LocalServer, echo_server, http_of
from support.programs import Programs

# The prompt of the Gemini CLI alone has more than four thousand tokens.
CONTEXT_TOKENS = 65_536


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LocalServer]:
    """A server on the echo engine."""
    models = (replace(ECHO, context_tokens=CONTEXT_TOKENS), EMBEDDER)
    with echo_server(tmp_path / "server", models=models) as running:
        yield running


@pytest.fixture
def http(server: LocalServer) -> Iterator[httpx.Client]:
    with contextlib.closing(http_of(server)) as client:
        yield client


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home of the programs, empty."""
    home = tmp_path / "home"
    home.mkdir()
    return home


@pytest.fixture
def programs(home: Path) -> Programs:
    return Programs(home)
