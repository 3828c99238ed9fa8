"""A child process with an engine in it: started, watched, stopped.

It is given what to load as its order, and writes one line to its stdout when it is ready.
"""

import asyncio
import errno
import os
from dataclasses import replace
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from toplu.child_process import ChildPipes, ChildProcess
from toplu.fleet.processes.engine_handle import Closable, ClosableEngine, Death, EngineStartFailed

FIRST_LINE_BYTES_MAX = 1024 * 1024  # some vocabularies have a thousand marks
STOP_SECONDS_MAX = 5.0


class EnginePipes(ChildPipes):
    """Keeps the first line of the child's output: that it is ready."""

    def __init__(self) -> None:
        super().__init__()
        self.first_line = b""
        self.ready_or_ended = asyncio.Event()

    def take(self, data: bytes) -> None:
        if not self.ready_or_ended.is_set():
            self.first_line = (self.first_line + data)[:FIRST_LINE_BYTES_MAX]
            if b"\n" in self.first_line:
                self.ready_or_ended.set()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.ready_or_ended.set()


Pipes = TypeVar("Pipes", bound=EnginePipes)


async def start_child(
    module: str, parameters: msgspec.Struct, *, pipes: Pipes, seconds_max: float
) -> ChildProcess[Pipes]:
    """Run the module and return when it is ready, or raise EngineStartFailed.

    Raises OSError if what it lacks is space on a disk, which passes.
    """
    child = await ChildProcess.start(module, parameters, pipes)
    try:
        await _wait_until_ready(child, seconds_max)
    except BaseException:
        await child.stop()
        raise
    return child


async def _wait_until_ready(child: ChildProcess[Pipes], seconds_max: float) -> None:
    try:
        async with asyncio.timeout(seconds_max):
            await child.pipes.ready_or_ended.wait()
    except TimeoutError as error:
        raise EngineStartFailed(
            f"the engine was not ready after {seconds_max:g} seconds: {child.last_words}"
        ) from error
    if child.pipes.ended.is_set():
        reason = f"the engine ended with exit code {child.exit_code}: {child.last_words}"
        if child.exit_code == os.EX_IOERR:
            raise OSError(errno.EIO, reason)
        raise EngineStartFailed(reason)


class RunningChild(Generic[ClosableEngine]):
    """One life of an engine that runs in a child process."""

    def __init__(self, child: ChildProcess[Any], engine: ClosableEngine) -> None:
        self._child = child
        self.engine = engine

    @property
    def pid(self) -> int:
        return self._child.pid

    async def wait_for_death(self) -> Death:
        await self._child.pipes.ended.wait()
        return Death(exit_code=self._child.exit_code, last_words=self._child.last_words)

    def kill(self) -> None:
        self._child.kill()

    async def stop(self) -> None:
        await self.engine.close()
        await self._child.stop(STOP_SECONDS_MAX)


class Watchable(Closable, Protocol):
    """An engine that knows whether it is silent."""

    async def wait_until_gone(self) -> None:
        """Return when the engine was asked something and has been silent for too long."""
        ...


WatchableEngine = TypeVar("WatchableEngine", bound=Watchable)


class WatchedChild(RunningChild[WatchableEngine]):
    """One life of an engine; one that has fallen silent is ended, so that another can begin."""

    async def wait_for_death(self) -> Death:
        dying = asyncio.ensure_future(super().wait_for_death())
        going = asyncio.ensure_future(self.engine.wait_until_gone())
        try:
            await asyncio.wait({dying, going}, return_when=asyncio.FIRST_COMPLETED)
            if dying.done():
                return dying.result()
            self.kill()
            return replace(await dying, reason="The engine does not answer.")
        finally:
            dying.cancel()
            going.cancel()
