"""A pool of embedders before servers that misbehave."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from support.engines.misbehaving_server import (
    MisbehavingServer,
    vector_of,
)
from support.fleet.scripted_engine import captured_logs
from support.waiting import PATIENCE_SECONDS
from toplu.clock import SystemClock
from toplu.fleet.embedding.pool import EmbeddingPool
from toplu.fleet.processes.supervisor import Supervisor
from toplu.fleet.remote.launch import embedding_servers_of, launch_embedding_servers
from toplu.fleet.remote.slots import ServerSlots
from toplu.settings.remote import RemoteSettings, ServerSettings
from toplu.settings.server import Kind as ModelKind
from toplu.settings.server import ModelSettings, Settings
from toplu.wire.gemini.content import Content, Part
from toplu.wire.gemini.embedding import EmbedContentRequest, EmbedContentResponse

DIMENSIONS = 8


class World:
    """A pool before some servers."""

    def __init__(self, *servers: MisbehavingServer, **remote: Any) -> None:
        values = {"health_seconds": 0.1, "attempts_max": 20, "requests_first": 8} | remote
        self.model = ModelSettings(
            name="m",
            engine=servers[0].engine,
            named_kind=ModelKind.EMBEDDING,
            dimensions=DIMENSIONS,
            servers=tuple(ServerSettings(url=each.url, model=each.model) for each in servers),
            remote=RemoteSettings(**values),
        )
        settings = Settings(request_seconds_max=PATIENCE_SECONDS)
        servers_here = embedding_servers_of(self.model, settings)
        self.supervisor = Supervisor(
            name="m",
            launch=launch_embedding_servers(servers_here),
            clock=SystemClock(),
            start_attempts_max=None,
        )
        self.pool = EmbeddingPool(
            model=self.model,
            supervisor=self.supervisor,
            settings=settings,
            slots=ServerSlots(servers_here, lanes=1),
        )

    async def ask(self, text: str, *, interactive: bool = False) -> EmbedContentResponse:
        return await self.pool.answer(a_request(text), interactive=interactive, label=text)

    async def outcomes(self, texts: list[str]) -> list[EmbedContentResponse | BaseException]:
        return await asyncio.gather(*map(self.ask, texts), return_exceptions=True)


def a_request(text: str) -> EmbedContentRequest:
    return EmbedContentRequest(content=Content(parts=[Part(text=text)]))


@asynccontextmanager
async def world(*servers: MisbehavingServer, **options: Any) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        for server in servers:
            await stack.enter_async_context(server.listening())
        made = World(*servers, **options)
        with captured_logs():
            async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
                runs = [group.create_task(run()) for run in (made.supervisor.run, made.pool.run)]
                yield made
                for run in runs:
                    run.cancel()


def is_of(response: EmbedContentResponse | BaseException, text: str) -> bool:
    assert isinstance(response, EmbedContentResponse), response
    right_vector = vector_of(text)
    length = math.hypot(*right_vector)
    values = response.embedding.values
    return values == pytest.approx([value / length for value in right_vector], abs=1e-6)
