"""Measures what a second worker brings to the control plane (B16).

The engine costs nothing. Two replicas of eight lanes each are one worker's, then two workers': the
lanes are the same in sum. A ratio says something where four cores are free; the processor time of
each process is given beside it.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

from arms import Figures, cpu_seconds_of, interleave, median, run_batch
from sizes import Size

from support.server import Server, started_server

TURNS = {Size.TINY: 1, Size.SELECTION: 2, Size.FULL: 4}
REQUESTS = {Size.TINY: 200, Size.SELECTION: 40_000, Size.FULL: 100_000}
CATALOGUE = """
[[models]]
name = "echo"
aliases = ["gemini-*"]
engine = "echo"
lanes = 8
replicas = 2
"""
FREE_CORES_MIN = 4  # for the ratio to say something


def measure(size: Size) -> dict[str, Any]:
    """Return the requests a second of one and two workers, and the processor time of each process.

    Processor times are in seconds for each thousand requests.
    """
    count = REQUESTS[size]
    runs = interleave({"one": lambda: _run(count, 1), "two": lambda: _run(count, 2)}, TURNS[size])
    rates = {name: median(of, "requests", over="seconds") for name, of in runs.items()}
    figures: dict[str, Any] = {
        "cores": os.cpu_count(),
        "one_worker_requests_per_second": rates["one"],
        "two_workers_requests_per_second": rates["two"],
    }
    ratio = rates["two"] / rates["one"]
    enough = (os.cpu_count() or 1) >= FREE_CORES_MIN
    figures["two_over_one" if enough else "two_over_one_on_few_cores"] = ratio
    for name, of in runs.items():
        for process in sorted(key for key in of[0] if key.endswith("_cpu_seconds")):
            figures[f"{name}_{process}_per_1000"] = 1000 * median(of, process, over="requests")
    return figures


def _run(count: int, workers: int) -> Figures:
    lines = [
        {"key": f"k{number}", "request": {"contents": [{"parts": [{"text": f"line {number}"}]}]}}
        for number in range(count)
    ]
    with (
        tempfile.TemporaryDirectory(prefix="toplu-bench-") as folder,
        started_server(Path(folder), config=CATALOGUE, workers=workers) as server,
    ):
        before = _cpu_of_each(server)
        figures, _ = run_batch(server, lines)
        used = {name: now - before[name] for name, now in _cpu_of_each(server).items()}
    return (
        figures
        | {f"{name}_cpu_seconds": value for name, value in used.items()}
        | {"requests": count}
    )


def _cpu_of_each(server: Server) -> Figures:
    """Return what each process of the server has used, in seconds."""
    pids = {"supervisor": [server.pid]} | {
        role: server.processes(role) for role in ("api", "worker")
    }
    return {
        role if len(of_role) == 1 else f"{role}_{place}": cpu_seconds_of(pid)
        for role, of_role in pids.items()
        for place, pid in enumerate(of_role, start=1)
    }
