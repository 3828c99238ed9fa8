"""A child process with llama.cpp in it: started, spoken to, stopped and reaped."""

import asyncio
import contextlib
import secrets
import sys
from pathlib import Path
from typing import cast

import msgspec

from toplu.engines.llama_cpp import LlamaCppEngine
from toplu.engines.llama_cpp_child import ChildParameters, ChildReady
from toplu.fleet.running_engine import Death, EngineStartFailed
from toplu.settings import ModelSettings, Settings

CHILD_MODULE = "toplu.engines.llama_cpp_child"
LAST_WORDS_BYTES = 4096
FIRST_LINE_BYTES_MAX = 4096
STOP_SECONDS_MAX = 5.0
API_KEY_BYTES = 32
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


class EngineProcess:
    """One life of a llama.cpp child."""

    def __init__(
        self, transport: asyncio.SubprocessTransport, pipes: ChildPipes, engine: LlamaCppEngine
    ) -> None:
        self._transport = transport
        self._pipes = pipes
        self.engine = engine

    @classmethod
    async def start(
        cls, model: ModelSettings, model_path: Path, settings: Settings
    ) -> "EngineProcess":
        """Start a child and return when its model is loaded, or raise EngineStartFailed."""
        api_key = secrets.token_hex(API_KEY_BYTES)
        parameters = ChildParameters(
            model_path=str(model_path),
            context_tokens=model.context_tokens,
            lanes=model.lanes,
            threads=model.threads,
            api_key=api_key,
        )
        loop = asyncio.get_running_loop()
        transport, pipes = await loop.subprocess_exec(
            ChildPipes, sys.executable, "-P", "-m", CHILD_MODULE
        )
        try:
            first_line = await tell_child(
                transport, pipes, parameters, settings.engine_start_seconds_max
            )
        except BaseException:
            await stop_child(transport, pipes, seconds_max=0.0)
            raise
        engine = LlamaCppEngine(
            address=msgspec.json.decode(first_line, type=ChildReady).address,
            api_key=api_key,
            lanes=model.lanes,
            request_seconds_max=settings.request_seconds_max,
        )
        return cls(transport, pipes, engine)

    @property
    def pid(self) -> int:
        return self._transport.get_pid()

    async def wait_for_death(self) -> Death:
        await self._pipes.ended.wait()
        return Death(exit_code=self._transport.get_returncode(), last_words=last_words(self._pipes))

    def kill(self) -> None:
        if not self._pipes.ended.is_set():
            kill_child(self._transport)

    async def stop(self) -> None:
        await self.engine.close()
        await stop_child(self._transport, self._pipes, seconds_max=STOP_SECONDS_MAX)


async def tell_child(
    transport: asyncio.SubprocessTransport,
    pipes: ChildPipes,
    parameters: msgspec.Struct,
    seconds_max: float,
) -> bytes:
    """Give the child its parameters; return what it says first, which is that it is ready."""
    # Not isinstance: uvloop's transports have the methods, not the class.
    stdin = cast("asyncio.WriteTransport", transport.get_pipe_transport(STDIN))
    stdin.write(msgspec.json.encode(parameters) + b"\n")
    try:
        async with asyncio.timeout(seconds_max):
            await pipes.spoke_or_ended.wait()
    except TimeoutError as error:
        raise EngineStartFailed(
            f"the engine was not ready after {seconds_max:g} seconds: {last_words(pipes)}"
        ) from error
    if pipes.ended.is_set():
        raise EngineStartFailed(
            f"the engine ended with exit code {transport.get_returncode()}: {last_words(pipes)}"
        )
    return pipes.first_line


async def stop_child(
    transport: asyncio.SubprocessTransport, pipes: ChildPipes, *, seconds_max: float
) -> None:
    """Close the child's stdin, which it obeys, then kill it, and wait until it is reaped."""
    stdin = transport.get_pipe_transport(STDIN)
    if stdin is not None:
        stdin.close()
    try:
        async with asyncio.timeout(seconds_max):
            await pipes.ended.wait()
    except TimeoutError:
        kill_child(transport)
        await pipes.ended.wait()
    finally:
        transport.close()


def kill_child(transport: asyncio.SubprocessTransport) -> None:
    """End the child at once."""
    # A broken connection tells of the death before the loop has reaped the child.
    with contextlib.suppress(ProcessLookupError):
        transport.kill()


def last_words(pipes: ChildPipes) -> str:
    """Return the end of what the child wrote to its standard error."""
    return pipes.last_words.decode(errors="replace").strip()
