"""All servers of one model: which is asked, and whether any can be.

slot ──▶ choose a server ──▶ ask ──▶ note how it went
  ▲                                        │
  └── room: a limit grew, a pause ended, ◀─┘
      a request ended, a server came back
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Generic

import structlog

from toplu.engines.http.fault import ServerBusy, ServerFault
from toplu.errors import TopluError
from toplu.fleet.processes.engine_handle import Death, EngineStartFailed
from toplu.fleet.remote.affinity import PromptHead, choose
from toplu.fleet.remote.batch_seats import BatchSeats
from toplu.fleet.remote.server import AnyClient, Server
from toplu.settings.model import ModelSettings
from toplu.settings.remote import ServerSettings
from toplu.tracing import names
from toplu.tracing.spans import SPANS

log = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class Call(Generic[AnyClient]):
    """A request that is on its way to a server."""

    client: AnyClient
    work: float = 0.0  # that the answer took, for the caller to say; 0: not comparable


class ServerGroup(Generic[AnyClient]):
    """The servers, over all their lives."""

    def __init__(
        self,
        model: ModelSettings,
        connect: Callable[[ServerSettings], AnyClient],
        *,
        now: Callable[[], float],
    ) -> None:
        self._model = model
        self._connect = connect
        self.now = now
        self.servers: Sequence[Server[AnyClient]] = [
            Server(server, model.remote, model=model.name, now=now) for server in model.servers
        ]
        self.batch_seats = BatchSeats(model.remote, now=now)
        self.on_room: Callable[[], None] = lambda: None  # called when there may be room
        self._changed = asyncio.Event()

    @property
    def lanes(self) -> int:
        return self._model.lanes

    @property
    def capacity(self) -> int:
        """Return how many requests may be on their way, those on closed ways among them."""
        return sum(max(server.capacity, server.in_flight) for server in self.servers)

    @property
    def batch_capacity(self) -> int:
        """Return how many of them may be of batches; fewer while interactive calls come."""
        return self.batch_seats.limit(self.capacity, self._servers_asked)

    def is_far_over(self, seats: int) -> bool:
        """Return whether so many requests of batches are far too many beside a call."""
        return self.batch_seats.is_far_over(seats, self._servers_asked)

    @property
    def capacity_max(self) -> int:
        """Return what `capacity` can never exceed."""
        return self._model.remote.requests_max * len(self.servers)

    @property
    def opens_at(self) -> float | None:
        """Return when the first pause ends, None if no server pauses."""
        moments = [server.opens_at for server in self.servers]
        return min((moment for moment in moments if moment is not None), default=None)

    @property
    def reason(self) -> str:
        """Return why no server is asked; nothing if one is."""
        if any(server.capacity for server in self.servers):
            return ""
        reasons = dict.fromkeys(server.reason for server in self.servers if server.reason)
        return f"No server of the model takes requests: {'; '.join(reasons)}."

    async def connect(self) -> None:
        """Look at all servers, with new clients; raise EngineStartFailed if none is fit."""
        for server in self.servers:
            server.client = self._connect(_settings_of(self._model, server.name))
        await asyncio.gather(
            *(server.look() for server in self.servers),
            *(server.read_load() for server in self.servers),
        )
        if self._all_open:
            reason = self.reason
            await self.retire()
            raise EngineStartFailed(reason)
        self._tell()  # to what waited while no server was fit

    async def watch(self) -> Death:
        """Look at the servers from time to time; return when none is fit."""
        async with asyncio.TaskGroup() as group:
            looks = [
                group.create_task(keep(server))
                for server in self.servers
                for keep in (self._keep_looking, self._keep_reading)
            ]
            while not self._all_open:
                await self._changed.wait()
                self._changed.clear()
            for task in looks:
                task.cancel()
        return Death(exit_code=None, last_words=self.reason)

    async def retire(self) -> None:
        """Let the clients go, each as soon as it has no call in flight."""
        for server in self.servers:
            if server.client is not None:
                await server.client.retire()
                server.client = None

    async def close(self) -> None:
        """Break off all calls."""
        for server in self.servers:
            if server.client is not None:
                await server.client.close()

    @asynccontextmanager
    async def call(self, head: PromptHead) -> AsyncIterator[Call[AnyClient]]:
        """Hold a slot at a server for one request; what the body raises is noted."""
        server = self._choose(head)
        assert server.client is not None, "it takes requests"
        SPANS.note(names.SERVER, server.name)
        started = self.now()
        server.in_flight += 1
        full = server.room <= 0
        call = Call(client=server.client)
        try:
            yield call
            server.answered(started=started, work=call.work, full=full or server.room <= 0)
        except ServerFault as fault:
            server.failed(fault, started=started)
            raise
        except TopluError:
            server.answered(started=started, work=0.0, full=False)
            raise
        finally:
            server.in_flight -= 1
            self._tell()

    @property
    def _servers_asked(self) -> int:
        return max(1, sum(server.capacity > 0 for server in self.servers))

    @property
    def _all_open(self) -> bool:
        return all(server.is_open for server in self.servers)

    def _choose(self, head: PromptHead) -> Server[AnyClient]:
        candidates = [server for server in self.servers if server.client is not None]
        place = choose(candidates, [server.room for server in candidates], head)
        if place is None:
            # The room went away after it was given: the request waits again.
            raise ServerBusy(self.reason or "no server has room", retry_seconds=None)
        return candidates[place]

    async def _keep_looking(self, server: Server[AnyClient]) -> None:
        while True:
            if not server.is_open:
                await server.wait_until_open(self._model.remote.health_seconds)
            if server.is_open:
                await asyncio.sleep(max(0.0, server.breaker.look_at - self.now()))
            # Requests in flight show how a server is, unless it is one that is asked no more.
            if server.is_open or not server.in_flight:
                await server.look()
                self._tell()

    async def _keep_reading(self, server: Server[AnyClient]) -> None:
        """Follow the server's load while it has work of ours."""
        while True:
            await asyncio.sleep(self._model.remote.load_seconds)
            if server.in_flight and not server.is_open:
                if (sample := await server.read_load()) is not None:
                    self.batch_seats.costs.note(sample)
                self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self.on_room()


def _settings_of(model: ModelSettings, url: str) -> ServerSettings:
    return next(server for server in model.servers if server.url == url)
