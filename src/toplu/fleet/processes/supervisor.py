"""Keeps one engine alive: starts it, watches it, starts it again, and gives up in the end.

IDLE ──▶ STARTING        when a lazy engine is first asked for
STARTING ──▶ READY ──▶ DOWN ──▶ STARTING …
    ├──────▶ DOWN
    └──────▶ GIVEN_UP        after too many failed starts in a row
 (any) ────▶ STOPPED         when its run is cancelled
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Generic

import structlog

from toplu.backoff import Backoff
from toplu.clock import Clock
from toplu.disk_faults import is_disk_fault
from toplu.errors import Unavailable
from toplu.fleet.processes.engine_handle import AnyEngine, EngineHandle, Launch
from toplu.metrics.measured import ENGINE_RESTARTS
from toplu.replica import EngineState

log = structlog.get_logger()


class EngineGivenUp(Unavailable):
    """The engine cannot be started; the message says why."""


class EngineStopped(Unavailable):
    """The fleet is stopping; that is no outcome of a request that still waits."""


class Supervisor(Generic[AnyEngine]):
    """Owns one engine, of whatever kind `launch` starts."""

    def __init__(
        self,
        *,
        name: str,
        launch: Launch[AnyEngine],
        clock: Clock,
        start_attempts_max: int | None,  # None: it is never given up
        lazy: bool = False,
        became: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self.lazy = lazy
        self.state = EngineState.IDLE if lazy else EngineState.STARTING
        self.reason = ""  # why it is not ready, for people
        self._launch = launch
        self._became = became  # called when the state has changed
        self._clock = clock
        self._start_attempts_max = start_attempts_max
        self._lacks_space = False  # so the last start failed, which passes: it is not given up
        self._is_final = False  # so the last start failed: whatever it needs was given up
        self._running: EngineHandle[AnyEngine] | None = None
        self._wanted = asyncio.Event()
        if not lazy:
            self._wanted.set()
        self._changed = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """Return the process of the engine, if it has one at the moment."""
        return None if self._running is None else self._running.pid

    @property
    def engine(self) -> AnyEngine | None:
        """Return the engine if it is ready at the moment; nothing is started for it."""
        return None if self._running is None else self._running.engine

    async def run(self) -> None:
        """Keep the engine alive until cancelled; return only when it is given up."""
        try:
            await self._keep_alive()
        finally:
            if self.state is not EngineState.GIVEN_UP:
                self._become(EngineState.STOPPED, "The server is stopping.")

    async def ready(self) -> AnyEngine:
        """Return the engine as soon as it is ready; raise EngineGivenUp or EngineStopped."""
        self._wanted.set()
        while True:
            match self.state:
                case EngineState.READY:
                    assert self._running is not None, "a ready engine runs"
                    return self._running.engine
                case EngineState.GIVEN_UP:
                    raise EngineGivenUp(f"The engine {self.name} does not start: {self.reason}")
                case EngineState.STOPPED:
                    raise EngineStopped(self.reason)
                case EngineState.IDLE | EngineState.STARTING | EngineState.DOWN:
                    await self._changed.wait()

    def report_death(self, engine: AnyEngine) -> None:
        """Take a caller's word that `engine` is dead: it is not handed out again.

        The caller notices first, by its broken connection. An engine that still has a pulse is
        killed, because one that breaks connections is of no use either.
        """
        if self._running is not None and self._running.engine is engine:
            self._running.kill()
            self._become(EngineState.DOWN, "The engine died.")

    async def _keep_alive(self) -> None:
        failed_starts = 0
        backoff = Backoff()
        await self._wanted.wait()
        while True:
            running = await self._start(failed_starts + 1)
            lived = timedelta()
            if running is None:
                failed_starts += not self._lacks_space
                most = self._start_attempts_max
                if self._is_final or (most and failed_starts >= most):
                    log.error("engine_given_up", engine=self.name, reason=self.reason)
                    self._become(EngineState.GIVEN_UP, self.reason)
                    return
            else:
                failed_starts = 0
                lived = await self._watch(running)
            await self._clock.sleep(backoff.after(lived))

    async def _start(self, attempt: int) -> EngineHandle[AnyEngine] | None:
        log.info("engine_starting", engine=self.name, attempt=attempt)
        self._become(EngineState.STARTING, self.reason)
        try:
            return await self._launch()
        except Exception as error:  # noqa: BLE001  # whatever it is, the next start may go well
            self._lacks_space = is_disk_fault(error)
            self._is_final = isinstance(error, EngineGivenUp)
            self._become(EngineState.DOWN, str(error))
            log.warning(
                "engine_start_failed",
                engine=self.name,
                attempt=attempt,
                error=type(error).__name__,
                reason=self.reason,
            )
            return None

    async def _watch(self, running: EngineHandle[AnyEngine]) -> timedelta:
        """Return how long the engine lived, once it is dead."""
        born = self._clock.now()
        self._running = running
        self._become(EngineState.READY, "")
        log.info("engine_ready", engine=self.name, pid=running.pid)
        reason = "The engine died."
        try:
            death = await running.wait_for_death()
            reason = death.reason
        finally:
            self._running = None
            self._become(EngineState.DOWN, reason)
            await running.stop()
        ENGINE_RESTARTS.labels(self.name).inc()
        log.warning(
            "engine_died",
            engine=self.name,
            reason=reason,
            pid=running.pid,
            exit_code=death.exit_code,
            last_words=death.last_words,
        )
        return self._clock.now() - born

    def _become(self, state: EngineState, reason: str) -> None:
        self.state = state
        self.reason = reason
        self._changed.set()
        self._changed = asyncio.Event()
        self._became()
