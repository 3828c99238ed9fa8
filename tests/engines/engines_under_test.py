"""The engines that tests run, and what they are asked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from toplu.engines.engine import Prompt, Sampling, Turn
from toplu.engines.structured.shape import Structure
from toplu.engines.structured.structure import read_structure
from toplu.fleet.launch import launch_of
from toplu.fleet.running_engine import RunningEngine
from toplu.gemini import proto_json
from toplu.gemini.content import GenerationConfig
from toplu.settings import DEFAULT_MODEL, EchoSettings, ModelSettings, Settings

CONTEXT_TOKENS = 512
LANES = 2

ECHO = ModelSettings(
    name="echo",
    engine="echo",
    context_tokens=CONTEXT_TOKENS,
    lanes=LANES,
    echo=EchoSettings(delay_seconds=0.01),
)
SLOW_ECHO = ModelSettings(
    name="slow-echo", engine="echo", lanes=LANES, echo=EchoSettings(delay_seconds=600)
)
LLAMA_CPP = ModelSettings(
    name=DEFAULT_MODEL.name,
    engine="llama_cpp",
    source=DEFAULT_MODEL.source,
    sha256=DEFAULT_MODEL.sha256,
    context_tokens=CONTEXT_TOKENS,
    lanes=LANES,
)


def a_prompt(
    text: str, *, tokens_max: int = 8, candidates: int = 1, stop: tuple[str, ...] = (), **values
) -> Prompt:
    sampling = {"temperature": 0.0, "top_p": 1.0, "top_k": 0, "seed": 7} | values
    return Prompt(
        turns=(Turn("user", text),),
        sampling=Sampling(output_tokens_max=tokens_max, stop_sequences=stop, **sampling),
        candidate_count=candidates,
    )


def structure_of(config: dict[str, Any]) -> Structure:
    structure = read_structure(proto_json.read_value(GenerationConfig, config))
    assert structure is not None
    return structure


@asynccontextmanager
async def launched(model: ModelSettings) -> AsyncIterator[RunningEngine]:
    with TemporaryDirectory() as folder:
        running = await launch_of(model, Settings(data_dir=Path(folder)))()
        try:
            yield running
        finally:
            await running.stop()
