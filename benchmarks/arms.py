"""Arms of a comparison: the bare engine, and the same work as a batch on a server."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from batches import GENERATE, create_batch, wait_until_done

from support.server import Server

BARE_SECONDS_MAX = 1200
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")

Figures = dict[str, float]
Lines = Sequence[dict[str, Any]]


def interleave(arms: Mapping[str, Callable[[], Figures]], turns: int) -> dict[str, list[Figures]]:
    """Return the figures of each arm, run A B B A … so that a drift of the machine meets all."""
    figures: dict[str, list[Figures]] = {name: [] for name in arms}
    for turn in range(turns):
        for name in arms if turn % 2 == 0 else reversed(arms):
            figures[name].append(arms[name]())
            print(f"  {name}: {figures[name][-1]}", flush=True)
    return figures


def median(runs: Sequence[Figures], name: str, over: str | None = None) -> float:
    """Return the median of one figure, or of its quotient with another one of the same run."""
    return statistics.median(run[name] / (1.0 if over is None else run[over]) for run in runs)


def run_bare(script: str, *arguments: str) -> Figures:
    """Return what a script of this folder prints as its last line, run in a process of its own."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name(script)), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=BARE_SECONDS_MAX,
        check=True,
    )
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def run_bare_on(script: str, lines: Lines, lanes: int) -> Figures:
    """Run a script that is given the lines in a file, and how many lanes it may have."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
        file.flush()
        return run_bare(script, file.name, str(lanes))


def run_batch(
    server: Server, lines: Lines, method: str = GENERATE
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


def token_counts(responses: Sequence[dict[str, Any]]) -> Figures:
    """Return the tokens that were read, of them cached, and written."""
    usages = [response["usageMetadata"] for response in responses]
    return {
        "prompt_tokens": sum(usage["promptTokenCount"] for usage in usages),
        "cached_tokens": sum(usage.get("cachedContentTokenCount", 0) for usage in usages),
        "output_tokens": sum(usage.get("candidatesTokenCount", 0) for usage in usages),
    }


def cpu_seconds(server: Server) -> float:
    """Return what the server and its engines have used since they started."""
    return sum(cpu_seconds_of(pid) for pid in (*server.pids, *server.child_pids()))


def pss_bytes_of(pid: int) -> int:
    """Return the memory of the process with its part of what it shares; 0 if it has ended."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0
    return int(rollup.split("\nPss:")[1].split()[0]) * 1024


def cpu_seconds_of(pid: int) -> float:
    """Return what a process has used since it started, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS  # utime and stime
