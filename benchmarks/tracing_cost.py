"""Measures what tracing costs: processor time of all processes for each call and batch request.

Two servers run beside each other, one traced and one not; each pair asks both the same, the first
one in turn. The engine costs nothing, so that all of the time is ours. The collector takes what
comes, in this process.
"""

import statistics
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from arms import cpu_seconds
from batches import create_batch, wait_until_done
from sizes import Size

from support.collector import collector
from support.model_tables import echo_model
from support.server import Server, started_server

PAIRS = {Size.TINY: 2, Size.SELECTION: 10, Size.FULL: 10}
CALLS = {Size.TINY: 20, Size.SELECTION: 300, Size.FULL: 1000}
REQUESTS = {Size.TINY: 100, Size.SELECTION: 4000, Size.FULL: 20_000}
CALLERS = 4
STUDENT = {2: 12.71, 10: 2.262}  # of a two-sided interval of 95 %, by the number of pairs
ASKED = {"contents": [{"parts": [{"text": "one two three"}]}]}
CALL = "/v1beta/models/gemini-2.5-flash:generateContent"
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def measure(size: Size) -> dict[str, Any]:
    """Return the ratio of both, traced over not, with its interval."""
    with tempfile.TemporaryDirectory(prefix="toplu-bench-") as folder, ExitStack() as held:
        found = held.enter_context(collector())
        servers = []
        for name, settings in (("off", {}), ("on", {"traces_url": found.url})):
            home = Path(folder) / name
            home.mkdir()
            config = echo_model(lanes=16)
            servers.append(
                held.enter_context(started_server(home, config=config, workers=1, **settings))
            )
        calls = _ratios(servers, lambda it: _call(it, CALLS[size]), PAIRS[size])
        batches = _ratios(servers, lambda it: _batch(it, REQUESTS[size]), PAIRS[size])
        assert found.spans(name="ask engine"), "it was traced"
    return {
        "pairs": PAIRS[size],
        **_figures("calls", calls, CALLS[size]),
        **_figures("batches", batches, REQUESTS[size]),
    }


Pair = tuple[float, float]  # processor seconds: off, on


def _ratios(servers: list[Server], work: Callable[[Server], None], pairs: int) -> list[Pair]:
    for server in servers:
        work(server)  # what happens but once
    found = []
    for number in range(pairs):
        used = [0.0, 0.0]
        for place in (0, 1) if number % 2 else (1, 0):
            before = cpu_seconds(servers[place])
            work(servers[place])
            used[place] = cpu_seconds(servers[place]) - before
        found.append((used[0], used[1]))
    return found


def _figures(name: str, pairs: list[Pair], count: int) -> dict[str, float]:
    ratios = [on / off for off, on in pairs]
    mean = statistics.mean(ratios)
    half = STUDENT[len(pairs)] * statistics.stdev(ratios) / len(pairs) ** 0.5
    return {
        f"{name}_off_cpu_ms": 1000 * statistics.median(off for off, _ in pairs) / count,
        f"{name}_on_cpu_ms": 1000 * statistics.median(on for _, on in pairs) / count,
        f"{name}_on_over_off": mean,
        f"{name}_on_over_off_low": mean - half,
        f"{name}_on_over_off_high": mean + half,
    }


def _call(server: Server, count: int) -> None:
    def ask(_: int) -> None:
        reply = server.call("POST", CALL, ASKED, headers={"traceparent": TRACEPARENT})
        assert reply.status == 200, reply.body

    with ThreadPoolExecutor(CALLERS) as callers:
        list(callers.map(ask, range(count)))


def _batch(server: Server, count: int) -> None:
    lines = [{"key": str(it), "request": ASKED} for it in range(count)]
    wait_until_done(server, create_batch(server, lines), poll_seconds=0.2)
