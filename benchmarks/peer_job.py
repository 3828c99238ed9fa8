"""A job of real questions about shared passages: toplu against what people run instead.

The peers ask llama.cpp's HTTP server as llama-server starts it; toplu gets the same lines as a
file batch. All arms use one build, one model, four lanes and the same requests, and take turns.
CPU-seconds are of everything that takes part: engine, server, client.
"""

import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bigbench
import msgspec
from arms import Figures, run_batch
from peer_programs import run_peers
from prefix_bound import shareable, tokens_of

from server import started_server
from toplu.engines.llama_cpp import chat_body
from toplu.engines.prompt import read_prompt
from toplu.gemini.jsonl import read_line
from toplu.settings import DEFAULT_MODEL

IN_FLIGHT = 2 * DEFAULT_MODEL.lanes
RAY_ACTORS = 2
ROUNDS = 2

Lines = list[dict[str, Any]]


def measure_shared() -> dict[str, Any]:
    """Sixteen passages with four questions each: most of every prompt stands in three others."""
    return _measure(bigbench.lines("multirc", passages=16, questions=4))


def measure_control() -> dict[str, Any]:
    """Every question about a passage of its own: there is nothing to gain, and nothing to lose."""
    return _measure(bigbench.lines("quoref", passages=32, questions=1))


def _measure(lines: Lines) -> dict[str, Any]:
    bodies = [_body(line) for line in lines]
    peers: dict[str, Callable[[str], Figures]] = {
        "script": lambda address: run_peers.run_script(address, bodies, in_flight=IN_FLIGHT),
        "litellm": lambda address: run_peers.run_litellm(address, bodies, in_flight=IN_FLIGHT),
        "ray_data": lambda address: run_peers.run_ray_data(address, bodies, concurrency=RAY_ACTORS),
    }
    runs: dict[str, list[Figures]] = {"toplu": [], **{name: [] for name in peers}}
    bound = 0
    for turn in range(ROUNDS):
        for name in list(runs) if turn % 2 == 0 else list(reversed(runs)):
            if name == "toplu":
                runs[name].append(_run_toplu(lines))
            else:
                python = Path(sys.executable)
                with run_peers.started("stock_server.py", python=python) as (address, pid):
                    bound = bound or shareable(tokens_of(address, bodies))
                    before = run_peers.cpu_seconds(pid)
                    figures = peers[name](address)
                    figures["cpu_seconds"] += run_peers.cpu_seconds(pid) - before
                    runs[name].append(figures)
            print(f"  {name}: {runs[name][-1]}", flush=True)
    return _figures(runs, bound)


def _run_toplu(lines: Lines) -> Figures:
    with (
        tempfile.TemporaryDirectory(prefix="toplu-bench-") as folder,
        started_server(Path(folder)) as server,
    ):
        figures, responses = run_batch(server, lines)
    usages = [response["usageMetadata"] for response in responses]
    return figures | {
        "cached_tokens": sum(usage.get("cachedContentTokenCount", 0) for usage in usages),
        "output_tokens": sum(usage["candidatesTokenCount"] for usage in usages),
    }


def _figures(runs: dict[str, list[Figures]], bound: int) -> dict[str, Any]:
    cpu = {
        name: statistics.median(run["cpu_seconds"] for run in each) for name, each in runs.items()
    }
    wall = {name: statistics.median(run["seconds"] for run in each) for name, each in runs.items()}
    figures: dict[str, Any] = {"shareable_tokens": bound}
    for name, each in runs.items():
        cached = statistics.median(run["cached_tokens"] for run in each)
        figures[f"{name}_cached_over_shareable"] = cached / max(1, bound)
    for name in runs:
        if name != "toplu":
            figures[f"{name}_cpu_over_toplu"] = cpu[name] / cpu["toplu"]
            figures[f"{name}_seconds_over_toplu"] = wall[name] / wall["toplu"]
    return figures


def _body(line: dict[str, Any]) -> dict[str, Any]:
    prompt = read_prompt(read_line(msgspec.json.encode(line), 1).request, DEFAULT_MODEL)
    body = chat_body(prompt, 0, prompt.sampling.seed or 0)
    return {
        "messages": body["messages"],
        "temperature": body["temperature"],
        "max_tokens": body["max_tokens"],
        "seed": body["seed"],
    }
