"""A child process with an embedding model in it: the same life as that of llama.cpp's."""

import asyncio
import sys
from pathlib import Path
from typing import cast

from toplu.engines.embedder_child import EmbedderParameters
from toplu.engines.onnx_embedder import OnnxEmbedder
from toplu.fleet.engine_process import (
    STDIN,
    STDOUT,
    STOP_SECONDS_MAX,
    ChildPipes,
    kill_child,
    last_words,
    stop_child,
    tell_child,
)
from toplu.fleet.running_engine import Death
from toplu.settings import ModelSettings, Settings

CHILD_MODULE = "toplu.engines.embedder_child"


class EmbedderPipes(ChildPipes):
    """What the child says: after its first line, answers."""

    def __init__(self) -> None:
        super().__init__()
        self.embedder: OnnxEmbedder | None = None

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == STDOUT and self.embedder is not None:
            self.embedder.feed(data)
        else:
            super().pipe_data_received(fd, data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end, and fail the calls that wait for an answer."""
        super().connection_lost(exc)
        if self.embedder is not None:
            self.embedder.die()


class EmbedderProcess:
    """One life of an embedder's child."""

    def __init__(
        self, transport: asyncio.SubprocessTransport, pipes: EmbedderPipes, engine: OnnxEmbedder
    ) -> None:
        self._transport = transport
        self._pipes = pipes
        self.engine = engine

    @classmethod
    async def start(
        cls, model: ModelSettings, model_path: Path, settings: Settings
    ) -> "EmbedderProcess":
        """Start a child and return when its model is loaded, or raise EngineStartFailed."""
        parameters = EmbedderParameters(
            weights=str(model_path),
            sha256=model.sha256,
            graph_folder=str(settings.model_dir / model.name),
            tokens_max=model.context_tokens,
            dimensions=model.dimensions,
            threads=model.threads,
        )
        loop = asyncio.get_running_loop()
        transport, pipes = await loop.subprocess_exec(
            EmbedderPipes, sys.executable, "-P", "-m", CHILD_MODULE
        )
        try:
            await tell_child(transport, pipes, parameters, settings.engine_start_seconds_max)
        except BaseException:
            await stop_child(transport, pipes, seconds_max=0.0)
            raise
        # Not isinstance: uvloop's transports have the methods, not the class.
        stdin = cast("asyncio.WriteTransport", transport.get_pipe_transport(STDIN))
        pipes.embedder = OnnxEmbedder(
            write=stdin.write,
            dimensions=model.dimensions,
            request_seconds_max=settings.request_seconds_max,
        )
        return cls(transport, pipes, pipes.embedder)

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
