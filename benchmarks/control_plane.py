"""How many requests a second the control plane carries when the engine costs nothing.

A file batch on the echo engine, everything durable: plan, leases, group commits, assembly. The
time is from createTime to endTime; the CPU time is the server process's own.
"""

import tempfile
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from arms import cpu_seconds
from batches import create_batch, wait_until_done

from server import started_server

REQUESTS = 20_000
RUNS = 3
CATALOGUE = """
[[models]]
name = "echo"
aliases = ["gemini-*"]
engine = "echo"
lanes = 16
"""


def measure() -> dict[str, Any]:
    """Return the median of the runs."""
    rates, cpus = [], []
    lines = [
        {"key": f"k{number}", "request": {"contents": [{"parts": [{"text": f"line {number}"}]}]}}
        for number in range(REQUESTS)
    ]
    for _ in range(RUNS):
        with (
            tempfile.TemporaryDirectory(prefix="toplu-bench-") as folder,
            started_server(Path(folder), config=CATALOGUE) as server,
        ):
            before = cpu_seconds(server)
            name = create_batch(server, lines)
            operation = wait_until_done(server, name, poll_seconds=0.5)
            cpus.append((cpu_seconds(server) - before) / REQUESTS)
        times = (operation["metadata"][at] for at in ("createTime", "endTime"))
        began, ended = (datetime.fromisoformat(time) for time in times)
        rates.append(REQUESTS / (ended - began).total_seconds())
    return {
        "requests": REQUESTS,
        "requests_per_second": median(rates),
        "cpu_microseconds_per_request": median(cpus) * 1e6,
    }
