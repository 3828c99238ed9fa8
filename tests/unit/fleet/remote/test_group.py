"""A group of servers looks at those it leaves alone, and wakes what waits for them."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from support.simulation.virtual_loop import VirtualLoop
from toplu.engines.http.fault import ServerAway
from toplu.fleet.lanes.claim import Claim
from toplu.fleet.processes.engine_handle import EngineStartFailed
from toplu.fleet.remote.affinity import PromptHead
from toplu.fleet.remote.breaker import PAUSE_SECONDS_FIRST
from toplu.fleet.remote.group import ServerGroup
from toplu.fleet.remote.server import Server
from toplu.fleet.remote.slots import ServerSlots
from toplu.settings.model import ModelSettings
from toplu.settings.remote import RemoteSettings, ServerSettings

HEALTH_SECONDS = 600.0
URLS = ("http://a/v1", "http://b/v1")


class Client:
    """A server that is fit or not, and counts how often it was looked at."""

    def __init__(self) -> None:
        self.fit = True
        self.looks = 0

    async def check(self) -> None:
        self.looks += 1
        if not self.fit:
            raise ServerAway("nobody listens")

    async def load(self) -> None:
        pass

    async def retire(self) -> None:
        pass

    async def close(self) -> None:
        pass


class Scene:
    """Servers, their clients, and the places before them."""

    def __init__(self, servers: int) -> None:
        self.clients = {url: Client() for url in URLS[:servers]}
        self.now = asyncio.get_running_loop().time
        model = ModelSettings(
            name="m",
            engine="openai_server",
            servers=tuple(ServerSettings(url=url) for url in self.clients),
            remote=RemoteSettings(
                requests_first=4, requests_max=4, failures_max=1, health_seconds=HEALTH_SECONDS
            ),
        )
        self.group = ServerGroup(model, lambda server: self.clients[server.url], now=self.now)
        self.slots = ServerSlots(self.group, lanes=1)

    async def ask(self) -> float:
        """Return when a request was answered."""
        async with self.slots.slot(Claim(interactive=False)), self.group.call(PromptHead("")):
            return self.now()

    async def hang(self, *, seconds: float = HEALTH_SECONDS) -> None:
        """Have a request answered after so long."""
        async with self.slots.slot(Claim(interactive=False)), self.group.call(PromptHead("")):
            await asyncio.sleep(seconds)

    async def fail(self) -> Server[Client]:
        """Return the server that a request found away."""
        with suppress(ServerAway):
            async with self.group.call(PromptHead("")):
                raise ServerAway("nobody listens")
        [server] = [each for each in self.group.servers if each.is_open]
        return server


def in_virtual_time(scene: Callable[[asyncio.TaskGroup], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(10 * HEALTH_SECONDS), asyncio.TaskGroup() as tasks:
            await scene(tasks)

    with asyncio.Runner(loop_factory=lambda: VirtualLoop(random.Random(0))) as runner:
        runner.run(bounded())


def test_what_waits_is_woken_when_the_servers_are_connected_again() -> None:
    async def scene(tasks: asyncio.TaskGroup) -> None:
        here = Scene(1)
        [client] = here.clients.values()
        client.fit = False
        with pytest.raises(EngineStartFailed):
            await here.group.connect()
        waiting = [tasks.create_task(here.ask()) for _ in range(3)]
        await asyncio.sleep(1.0)
        assert not any(task.done() for task in waiting)
        client.fit = True
        await here.group.connect()
        began = here.now()
        assert [await task for task in waiting] == [began] * 3, "one tries, then all may"

    in_virtual_time(scene)


def test_a_server_that_fails_is_looked_at_after_its_pause_and_not_at_the_next_idle_look() -> None:
    async def scene(tasks: asyncio.TaskGroup) -> None:
        here = Scene(2)
        await here.group.connect()
        watch = tasks.create_task(here.group.watch())
        await asyncio.sleep(1.0)
        server = await here.fail()
        failed_at = here.now()
        for _ in range(4):  # as many as the other takes
            tasks.create_task(here.hang())
        waiting = tasks.create_task(here.ask())
        assert await waiting == failed_at + PAUSE_SECONDS_FIRST
        assert not server.is_open
        watch.cancel()

    in_virtual_time(scene)


def test_a_server_with_requests_that_hang_is_looked_at_once_a_pause() -> None:
    async def scene(tasks: asyncio.TaskGroup) -> None:
        here = Scene(2)
        await here.group.connect()
        watch = tasks.create_task(here.group.watch())
        for _ in range(8):
            tasks.create_task(here.hang())
        await asyncio.sleep(0.1)
        server, other = here.group.servers
        assert server.in_flight and other.in_flight  # noqa: PT018
        server.failed(ServerAway("nobody listens"), started=here.now())
        client = here.clients[server.name]
        client.fit, client.looks = False, 0
        await asyncio.sleep(3.5 * PAUSE_SECONDS_FIRST)  # after the pauses of 1 and 2
        assert client.looks == 2
        watch.cancel()

    in_virtual_time(scene)
