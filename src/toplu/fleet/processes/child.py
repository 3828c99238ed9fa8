"""A child process with an engine in it: started, watched, stopped and reaped.

It is told what to load by one line of JSON on its stdin, says by one line on its stdout that it
is ready, and ends when its stdin does.
"""

import asyncio
import contextlib
import sys
from dataclasses import replace
from typing import Generic, Protocol, Self, TypeVar, cast

import msgspec

from toplu.fleet.processes.engine_handle import Closable, ClosableEngine, Death, EngineStartFailed

LAST_WORDS_BYTES = 4096
FIRST_LINE_BYTES_MAX = 1024 * 1024  # some vocabularies have a thousand marks
STOP_SECONDS_MAX = 5.0
STDIN, STDOUT, STDERR = 0, 1, 2


class ChildPipes(asyncio.SubprocessProtocol):
    """What the child says, as it comes: its first line, and the end of its complaints."""

    def __init__(self) -> None:
        self.first_line = b""
        self.last_words = b""
        self.spoke_or_ended = asyncio.Event()
        self.ended = asyncio.Event()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == STDERR:
            self.last_words = (self.last_words + data)[-LAST_WORDS_BYTES:]
        elif not self.spoke_or_ended.is_set():
            self.first_line = (self.first_line + data)[:FIRST_LINE_BYTES_MAX]
            if b"\n" in self.first_line:
                self.spoke_or_ended.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's name
        """Note the end: the process is reaped and everything that it wrote has been read."""
        self.ended.set()
        self.spoke_or_ended.set()


class Child:
    """One life of a child process."""

    def __init__(self, transport: asyncio.SubprocessTransport, pipes: ChildPipes) -> None:
        self._transport = transport
        self._pipes = pipes

    @classmethod
    async def start(
        cls, module: str, parameters: msgspec.Struct, *, pipes: ChildPipes, seconds_max: float
    ) -> Self:
        """Run the module and return when it says that it is ready, or raise EngineStartFailed."""
        transport, _ = await asyncio.get_running_loop().subprocess_exec(
            lambda: pipes, sys.executable, "-P", "-m", module
        )
        child = cls(transport, pipes)
        try:
            await child._tell(parameters, seconds_max)
        except BaseException:
            await child.stop(seconds_max=0.0)
            raise
        return child

    @property
    def pid(self) -> int:
        return self._transport.get_pid()

    @property
    def first_line(self) -> bytes:
        """What it said first."""
        return self._pipes.first_line

    @property
    def stdin(self) -> asyncio.WriteTransport:
        # Not isinstance: uvloop's transports have the methods, not the class.
        return cast("asyncio.WriteTransport", self._transport.get_pipe_transport(STDIN))

    async def wait_for_death(self) -> Death:
        await self._pipes.ended.wait()
        return Death(exit_code=self._transport.get_returncode(), last_words=self._last_words())

    def kill(self) -> None:
        """End it at once; harmless when it has ended."""
        if not self._pipes.ended.is_set():
            # A broken connection tells of the death before the loop has reaped the child.
            with contextlib.suppress(ProcessLookupError):
                self._transport.kill()

    async def stop(self, *, seconds_max: float = STOP_SECONDS_MAX) -> None:
        """Close its stdin, which it obeys, then kill it, and wait until it is reaped."""
        if self._transport.get_pipe_transport(STDIN) is not None:
            self.stdin.close()
        try:
            async with asyncio.timeout(seconds_max):
                await self._pipes.ended.wait()
        except TimeoutError:
            self.kill()
            await self._pipes.ended.wait()
        finally:
            self._transport.close()

    async def _tell(self, parameters: msgspec.Struct, seconds_max: float) -> None:
        self.stdin.write(msgspec.json.encode(parameters) + b"\n")
        try:
            async with asyncio.timeout(seconds_max):
                await self._pipes.spoke_or_ended.wait()
        except TimeoutError as error:
            raise EngineStartFailed(
                f"the engine was not ready after {seconds_max:g} seconds: {self._last_words()}"
            ) from error
        if self._pipes.ended.is_set():
            raise EngineStartFailed(
                f"the engine ended with exit code {self._transport.get_returncode()}: "
                f"{self._last_words()}"
            )

    def _last_words(self) -> str:
        return self._pipes.last_words.decode(errors="replace").strip()


class RunningChild(Generic[ClosableEngine]):
    """One life of an engine that runs in a child process."""

    def __init__(self, child: Child, engine: ClosableEngine) -> None:
        self._child = child
        self.engine = engine

    @property
    def pid(self) -> int:
        return self._child.pid

    async def wait_for_death(self) -> Death:
        return await self._child.wait_for_death()

    def kill(self) -> None:
        self._child.kill()

    async def stop(self) -> None:
        await self.engine.close()
        await self._child.stop()


class Watchable(Closable, Protocol):
    """An engine that knows whether it says anything."""

    async def wait_until_gone(self) -> None:
        """Return when the engine was asked something and has said nothing for too long."""
        ...


WatchableEngine = TypeVar("WatchableEngine", bound=Watchable)


class WatchedChild(RunningChild[WatchableEngine]):
    """One life of an engine; one that says nothing any more is ended, so that another can begin."""

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
