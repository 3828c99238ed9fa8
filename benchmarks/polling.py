"""Measures `batches.get` while a large job is planned and run, over an idle server (B14)."""

import http.client
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from batches import create_batch
from sizes import Size

from support.server import Server, started_server

REQUESTS = {Size.TINY: 2000, Size.SELECTION: 200_000, Size.FULL: 200_000}
POLLS = {Size.TINY: 20, Size.SELECTION: 1000, Size.FULL: 2000}
PAUSE_SECONDS = 0.01
CATALOGUE = """
[[models]]
name = "echo"
aliases = ["gemini-*"]
engine = "echo"
lanes = 4
echo = { delay_seconds = 0.02 }
"""


def measure(size: Size) -> dict[str, Any]:
    """Return percentiles in milliseconds, idle and beside the job."""
    lines = [
        {"key": f"k{number}", "request": {"contents": [{"parts": [{"text": f"line {number}"}]}]}}
        for number in range(REQUESTS[size])
    ]
    with (
        tempfile.TemporaryDirectory(prefix="toplu-bench-") as folder,
        started_server(Path(folder), config=CATALOGUE) as server,
    ):
        small = create_batch(server, lines[:1])
        idle = poll(server, small, POLLS[size])
        large = create_batch(server, lines)
        busy = poll(server, large, POLLS[size])
    return {
        "requests": REQUESTS[size],
        "idle_p50_ms": statistics.median(idle) * 1000,
        "idle_p99_ms": percentile(idle, 99) * 1000,
        "busy_p50_ms": statistics.median(busy) * 1000,
        "busy_p99_ms": percentile(busy, 99) * 1000,
        "busy_over_idle_p99": percentile(busy, 99) / percentile(idle, 99),
    }


def poll(server: Server, name: str, count: int) -> list[float]:
    """Return the seconds of each look, on one connection, as a client's pool would have it."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        connection.request("GET", f"/v1beta/{name}", headers={"x-goog-api-key": "any"})
        answer = connection.getresponse()
        answer.read()
        taken.append(time.perf_counter() - began)
        assert answer.status == http.HTTPStatus.OK
        time.sleep(PAUSE_SECONDS)
    connection.close()
    return taken


def percentile(values: list[float], rank: int) -> float:
    return statistics.quantiles(values, n=100)[rank - 1]
