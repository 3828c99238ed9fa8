"""Measures the requests a second of the control plane when the engine costs nothing (B11).

File batches with everything durable: plan, leases, group commits, assembly. The engine is the echo
in the server's process, or an OpenAI-compatible server that answers at once. The time is from
createTime to endTime; the CPU time is the server process's own. The peers ask that same server and
keep the answers in memory; toplu's answers survive a kill and come in the input's order.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

from arms import Figures, Lines, median, run_batch
from peer_programs import run_peers
from sizes import Size

from support.server import started_server

RUNS = {Size.TINY: 1, Size.SELECTION: 3, Size.FULL: 3}
REQUESTS = {Size.TINY: 200, Size.SELECTION: 20_000, Size.FULL: 20_000}
REQUESTS_OVER_HTTP = {Size.TINY: 50, Size.SELECTION: 5_000, Size.FULL: 10_000}
PEER_REQUESTS = {
    Size.TINY: {"script": 20, "litellm": 10, "ray_data": 20},
    Size.SELECTION: {},
    Size.FULL: {"script": 2000, "litellm": 500, "ray_data": 2000},
}
IN_FLIGHT = 32
RAY_ACTORS = 2
CATALOGUE = """
[[models]]
name = "echo"
aliases = ["gemini-*"]
engine = "echo"
lanes = 16
"""
CATALOGUE_OVER_HTTP = """
[[models]]
name = "instant"
aliases = ["gemini-*"]
engine = "openai_server"
servers = [{{ url = "{url}/v1", model = "instant" }}]
remote = {{ requests_first = 32 }}
"""


def measure(size: Size) -> dict[str, Any]:
    """Return the rates of both engines and of the peers, and the best of the peers beside ours."""
    inside = [run(CATALOGUE, REQUESTS[size]) for _ in range(RUNS[size])]
    with run_peers.started("instant_server.py", python=Path(sys.executable)) as (address, _):
        config = CATALOGUE_OVER_HTTP.format(url=address)
        over_http = [run(config, REQUESTS_OVER_HTTP[size]) for _ in range(RUNS[size])]
        peers = {name: _peer(name, address, count) for name, count in PEER_REQUESTS[size].items()}
    figures: dict[str, Any] = {
        "requests": REQUESTS[size],
        "requests_per_second": median(inside, "requests", over="seconds"),
        "cpu_microseconds_per_request": 1e6 * median(inside, "cpu_seconds", over="requests"),
        "requests_per_second_over_http": median(over_http, "requests", over="seconds"),
        "cpu_microseconds_per_request_over_http": 1e6
        * median(over_http, "cpu_seconds", over="requests"),
    }
    if peers:
        figures |= {f"{name}_requests_per_second": rate for name, rate in peers.items()}
        best = max(peers.values())
        figures["over_the_best_peer"] = figures["requests_per_second"] / best
        figures["over_the_best_peer_over_http"] = figures["requests_per_second_over_http"] / best
    return figures


def run(config: str, count: int) -> Figures:
    """Run one batch of so many requests on a server of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="toplu-bench-") as folder,
        started_server(Path(folder), config=config) as server,
    ):
        figures, _ = run_batch(server, lines(count))
    return figures | {"requests": count}


def lines(count: int) -> Lines:
    """Return lines that share nothing but their beginning."""
    return [
        {"key": f"k{number}", "request": {"contents": [{"parts": [{"text": f"line {number}"}]}]}}
        for number in range(count)
    ]


def _peer(name: str, address: str, count: int) -> float:
    bodies = [
        {"messages": [{"role": "user", "content": f"line {number}"}], "max_tokens": 4}
        for number in range(count)
    ]
    match name:
        case "script":
            figures = run_peers.run_script(address, bodies, in_flight=IN_FLIGHT)
        case "litellm":
            figures = run_peers.run_litellm(address, bodies, in_flight=IN_FLIGHT)
        case _:
            figures = run_peers.run_ray_data(address, bodies, concurrency=RAY_ACTORS)
    print(f"  {name}: {figures}", flush=True)
    return count / figures["seconds"]
