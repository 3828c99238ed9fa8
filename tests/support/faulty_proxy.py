"""A proxy before a server of HTTP that can refuse, be silent or slow, or cut what it passes on."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

REFUSAL = b"HTTP/1.1 503 Slow Down\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
CUT_AFTER_BYTES = 150  # of an answer
SLOW_SECONDS = 0.5  # of each piece
READ_BYTES = 64 * 1024


class Mood(StrEnum):
    """The ways in which it treats calls."""

    WELL = "well"
    REFUSES = "refuses"
    SILENT = "silent"
    CUTS = "cuts"
    SLOW = "slow"


class FaultyProxy:
    """The proxy; connections end when its mood changes."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._mood = Mood.WELL
        self._connections: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self.port = 0

    def become(self, mood: Mood) -> None:
        """Treat all calls so from now on."""
        asyncio.run_coroutine_threadsafe(self._become(mood), self._loop).result()

    async def _become(self, mood: Mood) -> None:
        self._mood = mood
        for connection in self._connections:
            connection.cancel()

    async def open(self) -> asyncio.Server:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await self._treat(reader, writer)
        except (asyncio.CancelledError, ConnectionError):
            pass
        finally:
            self._connections.discard(task)
            writer.transport.abort()

    async def _treat(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._mood is Mood.REFUSES:
            await reader.read(READ_BYTES)
            writer.write(REFUSAL)
            await writer.drain()
            return
        if self._mood is Mood.SILENT:
            await asyncio.Event().wait()
        target, there = await asyncio.open_connection("127.0.0.1", self._target_port)
        try:
            async with asyncio.TaskGroup() as both:
                pause = SLOW_SECONDS if self._mood is Mood.SLOW else 0.0
                both.create_task(_pass_on(reader, there, None, pause))
                left = CUT_AFTER_BYTES if self._mood is Mood.CUTS else None
                both.create_task(_pass_on(target, writer, left, pause))
        except* (_EndedError, ConnectionError):
            pass
        finally:
            there.transport.abort()


class _EndedError(Exception):
    """One side has ended, or is to be cut off."""


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: int | None, pause: float
) -> None:
    while data := await reader.read(READ_BYTES):
        await asyncio.sleep(pause)
        if left is not None:
            data, left = data[:left], left - len(data)
        writer.write(data)
        await writer.drain()
        if left is not None and left <= 0:
            break
    raise _EndedError


@contextmanager
def faulty_proxy(target_port: int) -> Iterator[FaultyProxy]:
    """Run a proxy, in a good mood, while the block does."""
    proxy = FaultyProxy(target_port)
    thread = threading.Thread(target=proxy._loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(proxy.open(), proxy._loop).result()
    try:
        yield proxy
    finally:
        with contextlib.suppress(Exception):
            proxy.become(Mood.WELL)
        proxy._loop.call_soon_threadsafe(server.close)
        proxy._loop.call_soon_threadsafe(proxy._loop.stop)
        thread.join()
        proxy._loop.close()
