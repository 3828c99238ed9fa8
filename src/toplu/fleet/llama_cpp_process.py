"""A child process with llama.cpp in it, and the client that speaks to its HTTP server."""

import secrets
from pathlib import Path

import msgspec

from toplu.engines.llama_cpp import LlamaCppEngine
from toplu.engines.llama_cpp_child import ChildParameters, ChildReady
from toplu.fleet.child import Child, ChildPipes, RunningChild
from toplu.settings import ModelSettings, Settings

CHILD_MODULE = "toplu.engines.llama_cpp_child"
API_KEY_BYTES = 32


async def start_llama_cpp(
    model: ModelSettings,
    model_path: Path,
    settings: Settings,
    *,
    projector_path: Path | None = None,
) -> RunningChild[LlamaCppEngine]:
    """Start a child and return when its model is loaded, or raise EngineStartFailed."""
    api_key = secrets.token_hex(API_KEY_BYTES)
    parameters = ChildParameters(
        model_path=str(model_path),
        projector_path=None if projector_path is None else str(projector_path),
        context_tokens=model.context_tokens,
        lanes=model.lanes,
        threads=model.threads,
        api_key=api_key,
        chat_template_path=model.chat_template,
    )
    child = await Child.start(
        CHILD_MODULE,
        parameters,
        pipes=ChildPipes(),
        seconds_max=settings.engine_start_seconds_max,
    )
    ready = msgspec.json.decode(child.first_line, type=ChildReady)
    engine = LlamaCppEngine(
        address=ready.address,
        control_tokens=ready.control_tokens,
        api_key=api_key,
        lanes=model.lanes,
        request_seconds_max=settings.request_seconds_max,
    )
    return RunningChild(child, engine)
