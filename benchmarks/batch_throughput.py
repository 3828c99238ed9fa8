"""How much of the bare engine's throughput a batch gets.

Two arms, interleaved A B B A, each from a fresh process: the bare engine (`bare_engine`), and
the same requests as one file batch through `toplu serve`. The time of a batch is from its
createTime to its endTime: planning, group commits and assembly are in it.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from batches import create_batch, wait_until_done
from questions import questions

from server import Server, started_server

PAIRS = 2  # of arms, so A B B A
BARE_SECONDS_MAX = 600
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")

Figures = dict[str, float]


def measure() -> dict[str, Any]:
    """Return the medians of both arms and their ratios, toplu over bare."""
    bare, batch = [], []
    for pair in range(PAIRS):
        arms = [(bare, run_bare), (batch, run_batch)]
        for figures, run in arms if pair % 2 == 0 else reversed(arms):
            figures.append(run())
            print(f"  {run.__name__}: {figures[-1]}", flush=True)
    rates = [tokens_per_second(figures) for figures in (bare, batch)]
    cpus = [cpu_per_token(figures) for figures in (bare, batch)]
    return {
        "requests": len(questions()),
        "bare_tokens_per_second": rates[0],
        "batch_tokens_per_second": rates[1],
        "throughput_ratio": rates[1] / rates[0],
        "tokens_per_cpu_second_ratio": cpus[0] / cpus[1],
    }


def tokens_per_second(runs: list[Figures]) -> float:
    return statistics.median(run["output_tokens"] / run["seconds"] for run in runs)


def cpu_per_token(runs: list[Figures]) -> float:
    return statistics.median(run["cpu_seconds"] / run["output_tokens"] for run in runs)


def run_bare() -> Figures:
    script = Path(__file__).with_name("bare_engine.py")
    done = subprocess.run(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=BARE_SECONDS_MAX,
        check=True,
    )
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def run_batch() -> Figures:
    with (
        tempfile.TemporaryDirectory(prefix="toplu-bench-") as folder,
        started_server(Path(folder)) as server,
    ):
        cpu_before = cpu_seconds(server)
        name = create_batch(server, questions())
        operation = wait_until_done(server, name, poll_seconds=0.5)
        used = cpu_seconds(server) - cpu_before
        metadata = operation["metadata"]
        results = server.call(
            "GET", f"/v1beta/{operation['response']['responsesFile']}:download?alt=media"
        ).body.splitlines()
    usages = [json.loads(line)["response"]["usageMetadata"] for line in results]
    assert len(usages) == len(questions()), "every question has an answer"
    began, ended = (datetime.fromisoformat(metadata[at]) for at in ("createTime", "endTime"))
    return {
        "seconds": (ended - began).total_seconds(),
        "cpu_seconds": used,
        "output_tokens": sum(usage["candidatesTokenCount"] for usage in usages),
        "cached_tokens": sum(usage.get("cachedContentTokenCount", 0) for usage in usages),
    }


def cpu_seconds(server: Server) -> float:
    """Return what the server and its engine have used since they started."""
    total = 0
    for pid in (server.pid, *server.child_pids()):
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])  # utime and stime
    return total / CLOCK_TICKS
