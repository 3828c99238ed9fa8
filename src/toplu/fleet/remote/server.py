"""One server as the fleet sees it: its client, how much it is asked, and whether it is."""

import asyncio
import contextlib
import random
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import structlog

from toplu.engines.http.fault import AnswerLost, ServerAway, ServerBusy, ServerFault
from toplu.engines.http.load import ServerLoad
from toplu.fleet.remote.batch_seats import StepSample, step_sample
from toplu.fleet.remote.breaker import Breaker, BreakerState
from toplu.fleet.remote.limiter import Limiter
from toplu.fleet.remote.seats import Seats
from toplu.settings.remote import RemoteSettings, ServerSettings

log = structlog.get_logger()

# A busy server that names no time is asked again after a while that doubles.
BUSY_SECONDS_FIRST = 0.1
BUSY_SECONDS_MAX = 30.0


class Client(Protocol):
    """The client of one server; an engine or an embedder besides."""

    async def check(self) -> None:
        """Return if the server is fit to be asked, or raise ServerFault."""
        ...

    async def load(self) -> ServerLoad | None:
        """Return the server's own figures, None if it has none or not in time."""
        ...

    async def retire(self) -> None:
        """Close as soon as no call is in flight."""
        ...

    async def close(self) -> None:
        """Break off the calls in flight and close."""
        ...


AnyClient = TypeVar("AnyClient", bound=Client)


class Server(Generic[AnyClient]):
    """One server and its state; it outlives its clients."""

    def __init__(
        self,
        settings: ServerSettings,
        remote: RemoteSettings,
        *,
        model: str,
        now: Callable[[], float],
    ) -> None:
        self.name = settings.url
        self.weight = settings.weight
        self.in_flight = 0
        self.client: AnyClient | None = None
        self.reason = ""  # why it is not asked
        self.limiter = Limiter(first=remote.requests_first, most=remote.requests_max)
        self.seats: Seats | None = None  # None: it does not say what it has to do
        self.breaker = Breaker(failures_max=remote.failures_max)
        self._log = log.bind(engine=model, server=self.name)
        self._now = now
        self._requests_first, self._requests_max = remote.requests_first, remote.requests_max
        self._opened = asyncio.Event()
        self._paused_until = 0.0
        self._refusals = 0  # in a row
        self._load: ServerLoad | None = None  # as it was read last
        # Jitter, no secret.
        self._random = random.Random()  # noqa: S311

    @property
    def capacity(self) -> int:
        """Return how many requests it may be asked at the same time, at this moment."""
        match self.breaker.state:
            case BreakerState.OPEN:
                return 0
            case BreakerState.HALF_OPEN:
                return 1
            case BreakerState.CLOSED:
                return 0 if self._now() < self._paused_until else self.limit

    @property
    def limit(self) -> int:
        """Return how many requests it is asked at a time while it is well."""
        return self.limiter.limit if self.seats is None else self.seats.limit

    @property
    def room(self) -> int:
        return self.capacity - self.in_flight

    @property
    def is_open(self) -> bool:
        """Whether its breaker is open: it is left alone until a look finds it fit."""
        return self.breaker.state is BreakerState.OPEN

    @property
    def opens_at(self) -> float | None:
        """Return when a pause ends, None if it is not paused."""
        return self._paused_until if self._now() < self._paused_until else None

    def answered(self, *, started: float, work: float, full: bool) -> None:
        """Note an answer; `work` is 0 of one that does not measure the server."""
        self._noticed(self.breaker.succeeded)
        self._refusals = 0
        if work:
            self.limiter.finished(started=started, ended=self._now(), work=work, full=full)

    def failed(self, fault: ServerFault, *, started: float) -> None:
        """Note a request that came back without an answer."""
        now = self._now()
        self.reason = fault.message
        match fault:
            case ServerBusy(retry_seconds=retry_seconds):
                self.limiter.overloaded(started=started, now=now)
                if self.seats is not None:
                    self.seats.refused()
                self._pause(retry_seconds)
                self._log.info("server_busy", reason=fault.message, limit=self.limit)
            case AnswerLost(overloaded=overloaded):
                if overloaded:
                    self.limiter.overloaded(started=started, now=now)
                self._noticed(lambda: self.breaker.failed(now))
            case _:
                self._noticed(lambda: self.breaker.trip(now))

    async def wait_until_open(self, seconds_max: float) -> None:
        """Return when the breaker opens, or after so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds_max):
                await self._opened.wait()

    async def look(self) -> None:
        """Ask the server how it is."""
        assert self.client is not None, "a server that is looked at has a client"
        try:
            await self.client.check()
        except ServerBusy:
            # It is there, and will refuse by itself if more is asked.
            self._noticed(lambda: self.breaker.looked(self._now(), fit=True))
        except (ServerAway, AnswerLost) as fault:
            self.reason = fault.message
            self._noticed(lambda: self.breaker.looked(self._now(), fit=False))
        else:
            self._noticed(lambda: self.breaker.looked(self._now(), fit=True))

    async def read_load(self) -> StepSample | None:
        """Follow the server's own figures, if it has any; return what its last steps took."""
        if self.client is None or (load := await self.client.load()) is None:
            return None
        if self.seats is None:
            self.seats = Seats(first=self._requests_first, most=self._requests_max)
            self._log.info(
                "server_load_known", software=load.software, memory_tokens=load.memory_tokens
            )
        self.seats.note(load, self.in_flight)
        before, self._load = self._load, load
        return None if before is None else step_sample(before, load)

    def _pause(self, retry_seconds: float | None) -> None:
        if retry_seconds is None:
            longest = min(BUSY_SECONDS_FIRST * 2**self._refusals, BUSY_SECONDS_MAX)
            retry_seconds = longest * self._random.uniform(0.5, 1.0)
            self._refusals = min(self._refusals + 1, 16)
        self._paused_until = max(self._paused_until, self._now() + retry_seconds)

    def _noticed(self, change: Callable[[], None]) -> None:
        before = self.breaker.state
        change()
        after = self.breaker.state
        if self.is_open:
            self._opened.set()
        else:
            self._opened.clear()
        if after is not before:
            write = self._log.warning if after is BreakerState.OPEN else self._log.info
            write("server_breaker", state=after, reason=self.reason)
