"""The embedders that tests run."""

import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec

from toplu.engines.embedder import Embedder
from toplu.fleet.launch import launch_embedder_of
from toplu.fleet.running_engine import RunningEngine
from toplu.settings import DEFAULT_EMBEDDER, EchoSettings, ModelSettings, Settings

ECHO_EMBEDDER = ModelSettings(
    name="echo-embedder", engine="echo_embedder", context_tokens=256, dimensions=384
)
SLOW_ECHO_EMBEDDER = msgspec.structs.replace(ECHO_EMBEDDER, echo=EchoSettings(delay_seconds=600))
MINILM = msgspec.structs.replace(DEFAULT_EMBEDDER, threads=1)

AnyRunning = RunningEngine[Embedder]


@asynccontextmanager
async def launched_embedder(model: ModelSettings) -> AsyncIterator[AnyRunning]:
    running = await launch_embedder_of(model, Settings())()
    try:
        yield running
    finally:
        await running.stop()


def cosine(first: Sequence[float], second: Sequence[float]) -> float:
    product = sum(a * b for a, b in zip(first, second, strict=True))
    return product / (math.hypot(*first) * math.hypot(*second))
