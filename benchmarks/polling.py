"""Measures `batches.get` while a large job is planned and run at full rate (B14).

The engine has 16 lanes and costs nothing. One poller asks again and again, then a hundred ask once
a second each, at a random phase. Both are measured on a server with one process for all, too.
"""

import asyncio
import http.client
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp
from batches import create_batch
from sizes import Size

from support.server import Server, started_server

REQUESTS = {Size.TINY: 2000, Size.SELECTION: 400_000, Size.FULL: 800_000}
POLLS = {Size.TINY: 20, Size.SELECTION: 500, Size.FULL: 1000}
POLLERS = 100
POLLER_SECONDS = {Size.TINY: 2, Size.SELECTION: 10, Size.FULL: 20}
PAUSE_SECONDS = 0.01
CATALOGUE = """
[[models]]
name = "echo"
aliases = ["gemini-*"]
engine = "echo"
lanes = 16
"""
# The number of workers, beside the process that answers.
ARMS = {"one_process": 0, "two_processes": 1}


def measure(size: Size) -> dict[str, Any]:
    """Return percentiles in milliseconds: idle, beside the job, and of many beside the job."""
    lines = [
        {"key": f"k{number}", "request": {"contents": [{"parts": [{"text": f"line {number}"}]}]}}
        for number in range(REQUESTS[size])
    ]
    figures: dict[str, Any] = {"requests": REQUESTS[size]}
    for name, workers in ARMS.items():
        found = _measure_arm(size, lines, workers)
        figures |= {f"{name}_{figure}": value for figure, value in found.items()}
    return figures


def _measure_arm(size: Size, lines: list[dict[str, Any]], workers: int) -> dict[str, float]:
    with (
        tempfile.TemporaryDirectory(prefix="toplu-bench-") as folder,
        started_server(Path(folder), config=CATALOGUE, workers=workers) as server,
    ):
        small = create_batch(server, lines[:1])
        idle = poll(server, small, POLLS[size])
        large = create_batch(server, lines)
        busy = poll(server, large, POLLS[size])
        assert is_running(server, large), "the job ended before the polls did"
        many = asyncio.run(_poll_together(server, large, POLLER_SECONDS[size]))
        assert size is Size.TINY or is_running(server, large), "the job ended before the pollers"
    figures = {}
    for name, taken in (("idle", idle), ("busy", busy), ("many", many)):
        figures[f"{name}_p50_ms"] = statistics.median(taken) * 1000
        figures[f"{name}_p99_ms"] = percentile(taken, 99) * 1000
    return figures


def is_running(server: Server, name: str) -> bool:
    """Return whether the batch has not ended."""
    return not server.call("GET", f"/v1beta/{name}").json()["done"]


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


async def _poll_together(server: Server, name: str, seconds: float) -> list[float]:
    """Return the seconds of each look of a hundred clients, each once a second."""
    taken: list[float] = []
    url = f"{server.url}/v1beta/{name}"
    ends = time.monotonic() + seconds

    async def poll_each_second(session: aiohttp.ClientSession, phase: float) -> None:
        await asyncio.sleep(phase)
        while time.monotonic() < ends:
            began = time.perf_counter()
            async with session.get(url) as answer:
                await answer.read()
                assert answer.status == http.HTTPStatus.OK
            taken.append(time.perf_counter() - began)
            await asyncio.sleep(1.0)

    chance = random.Random(1)
    connector = aiohttp.TCPConnector(limit=POLLERS)
    async with (
        aiohttp.ClientSession(headers={"x-goog-api-key": "any"}, connector=connector) as session,
        asyncio.TaskGroup() as pollers,
    ):
        for _ in range(POLLERS):
            pollers.create_task(poll_each_second(session, chance.random()))
    return taken


def percentile(values: list[float], rank: int) -> float:
    return statistics.quantiles(values, n=100)[rank - 1]
