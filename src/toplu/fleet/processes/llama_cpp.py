"""A child process with llama.cpp in it, and the client that speaks to its HTTP server."""

import asyncio
import secrets
from pathlib import Path

import msgspec

from toplu.engines.llama_cpp.child import ChildParameters, ChildReady
from toplu.engines.llama_cpp.engine import LlamaCppEngine
from toplu.fleet.processes.child import EnginePipes, WatchedChild, start_child
from toplu.settings.server import ModelSettings, Settings
from toplu.store.worker_lives import new_prefix_folder

CHILD_MODULE = "toplu.engines.llama_cpp.child"
API_KEY_BYTES = 32


async def start_llama_cpp(
    model: ModelSettings,
    model_path: Path,
    settings: Settings,
    *,
    prefixes: Path,
    projector_path: Path | None = None,
) -> WatchedChild[LlamaCppEngine]:
    """Start a child and return when its model is loaded, or raise EngineStartFailed."""
    api_key = secrets.token_hex(API_KEY_BYTES)
    prefix_folder = await _prefix_folder(model, prefixes)
    parameters = ChildParameters(
        model_path=str(model_path),
        projector_path=None if projector_path is None else str(projector_path),
        context_tokens=model.context_tokens,
        lanes=model.lanes,
        threads=model.threads,
        api_key=api_key,
        chat_template_path=model.chat_template,
        prefix_folder=None if prefix_folder is None else str(prefix_folder),
        batch_tokens=model.batch_tokens,
    )
    child = await start_child(
        CHILD_MODULE, parameters, pipes=EnginePipes(), seconds_max=settings.engine_start_seconds_max
    )
    ready = msgspec.json.decode(child.pipes.first_line, type=ChildReady)
    engine = LlamaCppEngine(
        address=ready.address,
        control_tokens=ready.control_tokens,
        end_tokens=ready.end_tokens,
        api_key=api_key,
        lanes=model.lanes,
        request_seconds_max=settings.request_seconds_max,
        silence_seconds_max=settings.engine_silence_seconds_max,
        prefix_folder=prefix_folder,
        prefix_bytes_max=settings.kept_prefix_bytes_max,
        conversation_bytes_max=settings.kept_conversation_bytes_max,
        reproducible=model.reproducible,
    )
    return WatchedChild(child, engine)


async def _prefix_folder(model: ModelSettings, prefixes: Path) -> Path | None:
    """Return a new folder for what the child computes of caches; None: it is to keep nothing."""
    if model.reproducible:
        return None
    return await asyncio.to_thread(new_prefix_folder, prefixes / model.name)
