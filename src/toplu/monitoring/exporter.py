"""Answers a monitor: with what this process knows, and what the others answer that it asks.

However often it is asked and however much there is to read, that takes no more than a part of the
time: one reading is good for a multiple of what it took.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic

from prometheus_client.metrics_core import Metric

from toplu.metrics.exposition import expose, merge

# Figures that are read when a monitor asks.
Source = Callable[[], Awaitable[Sequence[Metric]]]
# The texts of other processes.
Others = Callable[[], Awaitable[Sequence[bytes]]]

REST = 10  # times as long as a reading took


async def nobody_else() -> Sequence[bytes]:
    """Return nothing: there is no other process."""
    return ()


class Exporter:
    """The text of one process, or of all."""

    def __init__(
        self, process: str, sources: Sequence[Source], others: Others = nobody_else
    ) -> None:
        self._process = process
        self._sources = sources
        self._others = others
        self._reading = asyncio.Lock()
        self._text = b""
        self._good_until = 0.0

    async def text(self) -> bytes:
        """Return the figures as they are now, or were a moment ago."""
        async with self._reading:
            begun = monotonic()
            if begun >= self._good_until:
                self._text = await self._read()
                ended = monotonic()
                self._good_until = ended + REST * (ended - begun)
            return self._text

    async def _read(self) -> bytes:
        readings = [reading for source in self._sources for reading in await source()]
        others = await self._others()
        # Long where there are many projects.
        return await asyncio.to_thread(self._write, readings, others)

    def _write(self, readings: Sequence[Metric], others: Sequence[bytes]) -> bytes:
        return merge([expose(self._process, readings), *others])
