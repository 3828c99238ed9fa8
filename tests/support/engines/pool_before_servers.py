"""A pool before servers that a test scripts."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from support.engines.misbehaving_server import MisbehavingServer
from support.fleet.scripted_engine import NO_GROUNDER, a_request
from support.waiting import PATIENCE_SECONDS
from toplu.clock import SystemClock
from toplu.fleet.adapters.adapter import Adapter
from toplu.fleet.adapters.prompt import PromptAdapter
from toplu.fleet.adapters.relay import RelayAdapter
from toplu.fleet.pool import Pool
from toplu.fleet.processes.engine_handle import Launch
from toplu.fleet.processes.supervisor import Supervisor
from toplu.fleet.remote.group import ServerGroup
from toplu.fleet.remote.launch import launch_relays, launch_servers, relays_of, servers_of
from toplu.fleet.remote.slots import ServerSlots
from toplu.fleet.work import Answer, Answered, Stream, Tier
from toplu.settings.remote import RemoteSettings, ServerSettings
from toplu.settings.server import ModelSettings, Settings
from toplu.wire.gemini import message, proto_json
from toplu.wire.gemini.content import GenerateContentRequest, GenerationConfig


class World:
    """A pool before some servers."""

    def __init__(
        self,
        *servers: MisbehavingServer,
        key_file: Path | None = None,
        request_seconds_max: float = PATIENCE_SECONDS,
        **remote: Any,
    ) -> None:
        values = {"health_seconds": 0.1, "attempts_max": 20, "requests_first": 8} | remote
        self.model = ModelSettings(
            name="m",
            engine=servers[0].engine,
            servers=tuple(
                ServerSettings(
                    url=server.url, key_file=key_file and str(key_file), model=server.model
                )
                for server in servers
            ),
            remote=RemoteSettings(**values),
        )
        settings = Settings(request_seconds_max=request_seconds_max)
        self.servers, launch, adapter = self._connected(settings)
        self.supervisor: Supervisor[Any] = Supervisor(
            name="m",
            launch=launch,
            clock=SystemClock(),
            start_attempts_max=None,
        )
        self.pool = Pool(
            model=self.model,
            supervisor=self.supervisor,
            settings=settings,
            adapter=adapter,
            slots=ServerSlots(self.servers, lanes=4),
        )

    def _connected(self, settings: Settings) -> tuple[ServerGroup[Any], Launch[Any], Adapter[Any]]:
        """Return the servers, what begins a life of theirs, and how they are asked."""
        if self.model.is_relayed:
            relays = relays_of(self.model, settings)
            return relays, launch_relays(relays), RelayAdapter(self.model)
        servers = servers_of(self.model, settings)
        return servers, launch_servers(servers), PromptAdapter(self.model, NO_GROUNDER)

    async def ask(
        self,
        text: str,
        *,
        interactive: bool = False,
        config: GenerationConfig | None = None,
        begun: Callable[[], None] | None = None,
    ) -> str:
        answer = await self.answer(text, interactive=interactive, config=config, begun=begun)
        return str(answer["candidates"][0]["content"]["parts"][0]["text"])

    async def answer(
        self,
        text: str,
        *,
        interactive: bool = False,
        config: GenerationConfig | None = None,
        begun: Callable[[], None] | None = None,
    ) -> dict[str, Any]:
        """Return the whole response as a client reads it."""
        asked = a_request(text)
        request = GenerateContentRequest(contents=asked.contents, generation_config=config)
        tier = Tier.STANDARD if interactive else Tier.BATCH
        work = Answer(request=request, tier=tier, label=text, begun=begun)
        answered = await self.pool.run(work)
        answer: dict[str, Any] = json.loads(message.write(answered.response))
        return answer

    async def call(self, request: dict[str, Any], **options: Any) -> dict[str, Any]:
        """Return the response to a request, both as they are on the wire."""
        answered = await self.answered(request, **options)
        answer: dict[str, Any] = json.loads(message.write(answered.response))
        return answer

    async def answered(
        self, request: dict[str, Any], *, interactive: bool = False, **options: Any
    ) -> Answered:
        """Return the response to a request, as it is on the wire, with what it used."""
        asked = proto_json.read_value(GenerateContentRequest, request)
        tier = Tier.STANDARD if interactive else Tier.BATCH
        return await self.pool.run(Answer(request=asked, tier=tier, **options))

    async def stream(self, text: str, **fields: Any) -> list[Any]:
        """Return the chunks, or raise with those that had come in `self.chunks`."""
        self.chunks: list[Any] = []

        async def listen(chunk: Any) -> None:
            self.chunks.append(chunk)

        request = proto_json.read_value(GenerateContentRequest, fields)
        asked = msgspec.structs.replace(request, contents=a_request(text).contents)
        await self.pool.run(Stream(request=asked, listener=listen))
        return self.chunks


@asynccontextmanager
async def world(
    *servers: MisbehavingServer, seconds_max: float = PATIENCE_SECONDS, **options: Any
) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        for server in servers:
            await stack.enter_async_context(server.listening())
        made = World(*servers, **options)
        async with asyncio.timeout(seconds_max), asyncio.TaskGroup() as group:
            run = group.create_task(made.supervisor.run())
            yield made
            run.cancel()


async def answers_of(here: World, count: int) -> list[str]:
    return await asyncio.gather(*(here.ask(f"question {number}") for number in range(count)))


def right_answers(count: int) -> list[str]:
    return [f"re: question {number}" for number in range(count)]
