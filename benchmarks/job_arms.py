"""A job of real text: through toplu, and through what people run instead.

The peers ask llama.cpp's HTTP server as llama-server starts it; toplu gets the same lines as a
file batch. All arms use one build, one model, as many lanes and the same requests. CPU-seconds are
of everything that takes part: engine, server, client.
"""

import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import msgspec
from arms import Figures, Lines, run_batch, token_counts
from counting_model import STATE_SHARE
from peer_programs import run_peers
from prefix_bound import shareable, tokens_of

from support.model_tables import model_table
from support.server import started_server
from toplu.engines.llama_cpp.request_body import chat_body
from toplu.engines.translation.prompt import read_prompt
from toplu.models import sources
from toplu.settings.server import DEFAULT_MODEL, Settings
from toplu.wire.gemini.jsonl import read_line

REQUESTS_PER_LANE = 2  # that a client has in flight
RAY_ACTORS = 2
STOCK_CACHE_MIB = 8192  # of host memory, where llama-server keeps prompts


def run_toplu(lines: Lines, lanes: int, weights: Path | None = None) -> Figures:
    """Run the lines as a batch on a server of its own.

    `weights` are those of the counting model, where only its tokens are of interest.
    """
    changes = {} if weights is None else {"source": f"path:{weights}", "sha256": None}
    config = model_table(DEFAULT_MODEL, lanes=lanes, **changes)
    with (
        tempfile.TemporaryDirectory(prefix="toplu-bench-") as folder,
        started_server(Path(folder), config=config) as server,
    ):
        figures, responses = run_batch(server, lines)
    return figures | token_counts(responses)


def run_peer(name: str, lines: Lines, lanes: int, weights: Path | None = None) -> Figures:
    """Run the lines through one of `PEERS`, on a llama-server of its own."""
    bodies = [body(line) for line in lines]
    with stock_server(lanes, weights) as (address, pid):
        before = run_peers.cpu_seconds(pid)
        figures = PEERS[name](address, bodies, lanes)
        figures["cpu_seconds"] += run_peers.cpu_seconds(pid) - before
    return figures


def shareable_tokens(lines: Lines) -> int:
    """Return how many tokens of the prompts need no computing, at best."""
    with stock_server(1) as (address, _):
        return shareable(tokens_of(address, [body(line) for line in lines]))


def stock_server(
    lanes: int, weights: Path | None = None
) -> AbstractContextManager[tuple[str, int]]:
    """Return a context in which llama-server runs: its address and its process."""
    model = weights or sources.locate(DEFAULT_MODEL, Settings().model_dir)
    assert model is not None, "the default model is not here: run `make model`"
    cache_mib = STOCK_CACHE_MIB * (STATE_SHARE if weights else 1)
    arguments = (str(lanes), str(model), str(round(cache_mib)))
    return run_peers.started("stock_server.py", *arguments, python=Path(sys.executable))


def _script(address: str, bodies: list[dict[str, Any]], lanes: int) -> Figures:
    return run_peers.run_script(address, bodies, in_flight=REQUESTS_PER_LANE * lanes)


def _litellm(address: str, bodies: list[dict[str, Any]], lanes: int) -> Figures:
    return run_peers.run_litellm(address, bodies, in_flight=REQUESTS_PER_LANE * lanes)


def _ray_data(address: str, bodies: list[dict[str, Any]], lanes: int) -> Figures:  # noqa: ARG001
    return run_peers.run_ray_data(address, bodies, concurrency=RAY_ACTORS)


PEERS: dict[str, Callable[[str, list[dict[str, Any]], int], Figures]] = {
    "script": _script,
    "litellm": _litellm,
    "ray_data": _ray_data,
}


def body(line: dict[str, Any]) -> dict[str, Any]:
    """Return what a peer asks for a line of an input."""
    prompt = read_prompt(read_line(msgspec.json.encode(line), 1).request, DEFAULT_MODEL)
    asked = chat_body(prompt, 0, prompt.sampling.seed or 0)
    return {name: asked[name] for name in ("messages", "temperature", "max_tokens", "seed")}
