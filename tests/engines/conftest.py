"""Every kind of engine, running: the same tests are run against each."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from engines.engines_under_test import ECHO, LLAMA_CPP, SLOW_ECHO, launched
from toplu.fleet.running_engine import RunningEngine

KINDS = ["echo", pytest.param("llama_cpp", marks=pytest.mark.model)]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=KINDS)
async def running(request: pytest.FixtureRequest) -> AsyncIterator[RunningEngine]:
    model = ECHO if request.param == "echo" else LLAMA_CPP
    async with launched(model) as engine:
        yield engine


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running_llama_cpp() -> AsyncIterator[RunningEngine]:
    async with launched(LLAMA_CPP) as engine:
        yield engine


@pytest_asyncio.fixture(loop_scope="module", params=KINDS)
async def doomed(request: pytest.FixtureRequest) -> AsyncIterator[RunningEngine]:
    """An engine for one test, which may kill it; its answers take long."""
    model = SLOW_ECHO if request.param == "echo" else LLAMA_CPP
    async with launched(model) as engine:
        yield engine
