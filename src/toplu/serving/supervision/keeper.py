"""Keeps one process of a server alive: starts it, watches it, and starts it again."""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import timedelta

import structlog

from toplu.backoff import Backoff
from toplu.clock import Clock
from toplu.errors import ConfigurationError
from toplu.serving.supervision.orders import Order
from toplu.serving.supervision.process import Process, ProcessDied

log = structlog.get_logger()


class Keeper:
    """One process after another, by the same order."""

    def __init__(
        self, order: Order, descriptors: Sequence[int], clock: Clock, *, ends_all: bool = True
    ) -> None:
        self.name = order.name
        self._order = order
        self._descriptors = descriptors
        self._clock = clock
        self._ends_all = ends_all  # by refusing to begin at all; else it is tried again
        self._process: Process | None = None
        self._ending = asyncio.Event()
        self._ready = asyncio.Event()
        self._ended = asyncio.Event()

    async def wait_until_ready(self) -> None:
        """Return when the process was ready for the first time."""
        await self._ready.wait()

    async def run(self) -> None:
        """Keep a process alive until told to end.

        ConfigurationError: the first one refused to begin, and so would all others.
        """
        backoff = Backoff()
        try:
            while not self._ending.is_set():
                born = self._clock.now()
                await self._live()
                await self._pause(backoff.after(self._clock.now() - born))
        finally:
            self._ended.set()

    async def _live(self) -> None:
        self._process = process = await Process.start(self._order, self._descriptors)
        log.info("process_started", name=self.name, pid=process.pid)
        if self._ending.is_set():
            process.ask_to_end()
        reason = None
        try:
            await process.wait_until_ready()
            log.info("process_ready", name=self.name, pid=process.pid)
            self._ready.set()
        except ProcessDied:
            reason = "it ended before it was ready"
        except ConfigurationError as error:
            if self._ends_all and not self._ready.is_set():
                raise
            reason = str(error)
        except asyncio.CancelledError:
            # Another process refused to begin, and nobody waits for this one.
            process.kill()
            raise
        finally:
            code = await self._wait(process)
            level = log.info if self._ending.is_set() and not code else log.warning
            level("process_ended", name=self.name, pid=process.pid, exit_code=code, reason=reason)

    async def _pause(self, longest: timedelta) -> None:
        """Wait before the next life, if there is to be one."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(longest.total_seconds()):
                await self._ending.wait()

    async def _wait(self, process: Process) -> int:
        try:
            return await process.wait()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise

    def drain(self) -> None:
        """Tell the process that the server is about to end."""
        if self._process is not None:
            self._process.drain()

    def ask_to_end(self) -> None:
        """Have the process end in good order, and start none after it."""
        self._ending.set()
        if self._process is not None:
            self._process.ask_to_end()

    async def end(self, seconds_max: float) -> None:
        """Have the process end in good order, or else at once; return when it has ended."""
        self.ask_to_end()
        try:
            async with asyncio.timeout(seconds_max):
                await self._ended.wait()
        except TimeoutError:
            log.warning("process_killed", name=self.name, seconds=seconds_max)
            self.kill()
            await self._ended.wait()

    def kill(self) -> None:
        """End the process at once, and start none after it."""
        self._ending.set()
        if self._process is not None:
            self._process.kill()
