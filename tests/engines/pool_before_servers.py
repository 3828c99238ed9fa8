"""A pool before servers that a test scripts."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from engines.misbehaving_server import MisbehavingServer
from toplu.clock import SystemClock
from toplu.fleet.pool import Pool
from toplu.fleet.remote.gate import ServerGate
from toplu.fleet.remote.launch import launch_servers, servers_of
from toplu.fleet.supervisor import Supervisor
from toplu.gemini.content import GenerateContentRequest, GenerationConfig
from toplu.remote_settings import RemoteSettings, ServerSettings
from toplu.settings import ModelSettings, Settings
from unit.fleet.scripted_engine import NO_GROUNDER, a_request


class World:
    """A pool before some servers."""

    def __init__(
        self, *servers: MisbehavingServer, key_file: Path | None = None, **remote: Any
    ) -> None:
        values = {"health_seconds": 0.1, "attempts_max": 20, "requests_first": 8} | remote
        self.model = ModelSettings(
            name="m",
            engine="openai_server",
            servers=tuple(
                ServerSettings(url=server.url, key_file=key_file and str(key_file))
                for server in servers
            ),
            remote=RemoteSettings(**values),
        )
        settings = Settings(request_seconds_max=5.0)
        self.servers = servers_of(self.model, settings)
        self.supervisor = Supervisor(
            name="m",
            launch=launch_servers(self.servers),
            clock=SystemClock(),
            start_attempts_max=None,
        )
        self.pool = Pool(
            model=self.model,
            supervisor=self.supervisor,
            settings=settings,
            grounder=NO_GROUNDER,
            places=ServerGate(self.servers, lanes=4),
        )

    async def ask(
        self,
        text: str,
        *,
        interactive: bool = False,
        config: GenerationConfig | None = None,
        begun: Callable[[], None] | None = None,
    ) -> str:
        asked = a_request(text)
        request = GenerateContentRequest(contents=asked.contents, generation_config=config)
        response = await self.pool.answer(request, interactive=interactive, label=text, begun=begun)
        parts = response.candidates[0].content.parts
        assert parts is not None
        return parts[0].text or ""


@asynccontextmanager
async def world(*servers: MisbehavingServer, **options: Any) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        for server in servers:
            await stack.enter_async_context(server.listening())
        made = World(*servers, **options)
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            run = group.create_task(made.supervisor.run())
            yield made
            run.cancel()
