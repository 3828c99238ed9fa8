import contextlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from google import genai
from house import ECHO, OpenHouse, RunningHouse, client_of, http_of
from image_calls import BLIND, SEEING

from toplu.clock import Clock
from toplu.settings.server import Settings


@pytest.fixture
def open_a_house(tmp_path: Path) -> Iterator[OpenHouse]:
    """Start a server with the echo engine and the settings given."""
    with ExitStack() as houses:

        def start(*, clock: Clock | None = None, **settings: Any) -> RunningHouse:
            defaults = {"data_dir": tmp_path / "data", "models": (ECHO,), "drain_seconds": 0.1}
            values = defaults | settings
            return houses.enter_context(RunningHouse(Settings(**values), clock))

        yield start


@pytest.fixture(scope="module")
def shared_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHouse]:
    """One server for the tests of a module that do not disturb each other.

    Such a module overrides `house` with it.
    """
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("house") / "data", models=(ECHO,), drain_seconds=0.1
    )
    with RunningHouse(settings) as running:
        yield running


@pytest.fixture(scope="module")
def seeing_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHouse]:
    """One server with a model that sees, under every Gemini name, and one that does not."""
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("house") / "data",
        models=(SEEING, BLIND),
        drain_seconds=0.1,
    )
    with RunningHouse(settings) as running:
        yield running


@pytest.fixture
def house(open_a_house: OpenHouse) -> RunningHouse:
    return open_a_house()


@pytest.fixture
def client(house: RunningHouse) -> Iterator[genai.Client]:
    with contextlib.closing(client_of(house)) as client:
        yield client


@pytest.fixture
def http(house: RunningHouse) -> Iterator[httpx.Client]:
    """Raw HTTP with a key."""
    with http_of(house) as client:
        yield client


@pytest.fixture
def keyless(house: RunningHouse) -> Iterator[httpx.Client]:
    """Raw HTTP without a key."""
    with http_of(house, key=None) as client:
        yield client
