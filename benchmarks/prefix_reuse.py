"""How much of what requests share is read once (B2), and what that saves (B3).

Arms, interleaved: the batch through `toplu serve` on four lanes, and a plain script's way through
llama.cpp's own server. The limit is one lane in the best order. Tokens are counted by the engine;
CPU time is of the engine and whatever feeds it, which survives a busy machine better than seconds.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from arms import cpu_seconds
from batches import create_batch, wait_until_done
from passages import lines

from server import started_server

PASSAGES = 10
PAIRS = 1
PEER_SECONDS_MAX = 1800

Figures = dict[str, float]


def measure() -> dict[str, Any]:
    """Return counted tokens as shares of the limit, and CPU time as ratios."""
    limit = run_peer("limit")
    ours, script = [], []
    for pair in range(PAIRS):
        arms = [(ours, run_batch), (script, lambda: run_peer("script"))]
        for figures, run in arms if pair % 2 == 0 else reversed(arms):
            figures.append(run())
            print(f"  {figures[-1]}", flush=True)
    return {
        "requests": len(lines(PASSAGES)),
        "prompt_tokens": int(limit["prompt_tokens"]),
        "limit_cached_share": limit["cached_tokens"] / limit["prompt_tokens"],
        "batch_cached_over_limit": median(ours, "cached_tokens") / limit["cached_tokens"],
        "script_cached_over_limit": median(script, "cached_tokens") / limit["cached_tokens"],
        "cpu_script_over_batch": median(script, "cpu_seconds") / median(ours, "cpu_seconds"),
    }


def median(runs: list[Figures], name: str) -> float:
    return statistics.median(run[name] for run in runs)


def run_peer(arm: str) -> Figures:
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("prefix_reuse_peer.py")), arm, str(PASSAGES)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=PEER_SECONDS_MAX,
        check=True,
    )
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def run_batch() -> Figures:
    with (
        tempfile.TemporaryDirectory(prefix="toplu-bench-") as folder,
        started_server(Path(folder)) as server,
    ):
        before = cpu_seconds(server)
        operation = wait_until_done(server, create_batch(server, lines(PASSAGES)), poll_seconds=0.5)
        usage = operation["metadata"]["toplu"]["usage"]
        return {
            "cpu_seconds": cpu_seconds(server) - before,
            "prompt_tokens": float(usage["promptTokenCount"]),
            "cached_tokens": float(usage["cachedContentTokenCount"]),
        }
