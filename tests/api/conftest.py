from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from google import genai

from tests.api.house import ECHO, RunningHouse
from toplu.clock import Clock
from toplu.settings import Settings

OpenHouse = Callable[..., RunningHouse]


@pytest.fixture
def open_a_house(tmp_path: Path) -> Iterator[OpenHouse]:
    """Start a server with the echo engine and the settings given."""
    with ExitStack() as houses:

        def start(*, clock: Clock | None = None, **settings: Any) -> RunningHouse:
            values = {"data_dir": tmp_path / "data", "models": (ECHO,)} | settings
            return houses.enter_context(RunningHouse(Settings(**values), clock))

        yield start


@pytest.fixture
def house(open_a_house: OpenHouse) -> RunningHouse:
    return open_a_house()


@pytest.fixture
def client(house: RunningHouse) -> Iterator[genai.Client]:
    yield client_of(house)


@pytest.fixture
def http(house: RunningHouse) -> Iterator[httpx.Client]:
    """Raw HTTP with a key."""
    with httpx.Client(base_url=house.url, headers={"x-goog-api-key": "any"}) as client:
        yield client


def client_of(house: RunningHouse, key: str = "any") -> genai.Client:
    return genai.Client(api_key=key, http_options={"base_url": house.url})
