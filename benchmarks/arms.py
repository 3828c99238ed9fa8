"""Two arms of a comparison: the bare engine, and the same work as a batch on a server."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from batches import GENERATE, create_batch, wait_until_done

from server import Server

PAIRS = 2  # of arms, so A B B A
BARE_SECONDS_MAX = 600
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")

Figures = dict[str, float]
Run = Callable[[], Figures]


def interleave(first: Run, second: Run) -> tuple[list[Figures], list[Figures]]:
    """Return the figures of each arm, run A B B A so that a drift of the machine meets both."""
    figures: tuple[list[Figures], list[Figures]] = ([], [])
    for pair in range(PAIRS):
        arms = list(zip(figures, (first, second), strict=True))
        for results, run in arms if pair % 2 == 0 else reversed(arms):
            results.append(run())
            print(f"  {'bare' if run is first else 'batch'}: {results[-1]}", flush=True)
    return figures


def run_bare(script: str) -> Figures:
    """Return what a script of this folder prints as its last line, run in a process of its own."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name(script))],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=BARE_SECONDS_MAX,
        check=True,
    )
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def run_batch(
    server: Server, lines: list[dict[str, Any]], method: str = GENERATE
) -> tuple[Figures, list[dict[str, Any]]]:
    """Return what a batch of the lines took, and the responses; every line must have one.

    The seconds are from its createTime to its endTime: planning, group commits and assembly are
    in them.
    """
    cpu_before = cpu_seconds(server)
    operation = wait_until_done(server, create_batch(server, lines, method), poll_seconds=0.5)
    used = cpu_seconds(server) - cpu_before
    results = server.call(
        "GET", f"/v1beta/{operation['response']['responsesFile']}:download?alt=media"
    ).body.splitlines()
    responses = [json.loads(line)["response"] for line in results]
    assert len(responses) == len(lines), "every request has an answer"
    times = (operation["metadata"][at] for at in ("createTime", "endTime"))
    began, ended = (datetime.fromisoformat(time) for time in times)
    return {"seconds": (ended - began).total_seconds(), "cpu_seconds": used}, responses


def cpu_seconds(server: Server) -> float:
    """Return what the server and its engines have used since they started."""
    total = 0
    for pid in (server.pid, *server.child_pids()):
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])  # utime and stime
    return total / CLOCK_TICKS
