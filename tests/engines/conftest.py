"""Every kind of engine, running: the same tests are run against each."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from support.engines.engines_under_test import (
    ECHO,
    KINDS,
    LLAMA_CPP,
    SLOW_ECHO,
    THINKING_TEMPLATE,
    launched,
    launched_kind,
)
from support.engines.random_projector import write_projector
from toplu.fleet.processes.engine_handle import EngineHandle
from toplu.settings.server import ThinkingSettings


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=KINDS)
async def running(request: pytest.FixtureRequest) -> AsyncIterator[EngineHandle]:
    async with launched_kind(request.param) as engine:
        yield engine


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running_llama_cpp() -> AsyncIterator[EngineHandle]:
    async with launched(LLAMA_CPP) as engine:
        yield engine


@pytest_asyncio.fixture(loop_scope="module", params=KINDS)
async def doomed(request: pytest.FixtureRequest) -> AsyncIterator[EngineHandle]:
    """An engine for one test, which may kill it; its answers take long."""
    async with launched_kind(request.param, SLOW_ECHO) as engine:
        yield engine


@pytest.fixture(scope="session")
def projector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_projector(tmp_path_factory.mktemp("projector") / "mmproj.gguf")


def _with_sight(request: pytest.FixtureRequest) -> AbstractAsyncContextManager[EngineHandle]:
    if request.param == "echo":
        return launched(msgspec.structs.replace(ECHO, vision=True))
    projector = request.getfixturevalue("projector")
    model = msgspec.structs.replace(LLAMA_CPP, projector=f"path:{projector}")
    return launched_kind(request.param, llama_cpp=model)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=KINDS)
async def seeing(request: pytest.FixtureRequest) -> AsyncIterator[EngineHandle]:
    """An engine that sees images."""
    async with _with_sight(request) as engine:
        yield engine


@pytest_asyncio.fixture(loop_scope="module", params=KINDS)
async def blinded(request: pytest.FixtureRequest) -> AsyncIterator[EngineHandle]:
    """An engine that sees, for one test, which kills it."""
    async with _with_sight(request) as engine:
        yield engine


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=KINDS)
async def thinker(request: pytest.FixtureRequest) -> AsyncIterator[EngineHandle]:
    thinking = msgspec.structs.replace(
        LLAMA_CPP, chat_template=str(THINKING_TEMPLATE), thinking=ThinkingSettings()
    )
    async with launched_kind(request.param, llama_cpp=thinking) as engine:
        yield engine
