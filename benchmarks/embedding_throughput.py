"""How much of the bare embedder's throughput a batch of embeddings gets.

Two arms, interleaved A B B A, each from a fresh process: the bare engine (`bare_embedder`), and
the same texts as one file batch through `toplu serve`. The time of a batch is from its
createTime to its endTime: planning, group commits and assembly are in it.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from batch_throughput import cpu_seconds
from batches import EMBED, create_batch, wait_until_done
from sentences import sentences

from server import started_server

PAIRS = 2  # of arms, so A B B A
BARE_SECONDS_MAX = 600

Figures = dict[str, float]


def measure() -> dict[str, Any]:
    """Return the medians of both arms and their ratios, toplu over bare."""
    bare, batch = [], []
    for pair in range(PAIRS):
        arms = [(bare, run_bare), (batch, run_batch)]
        for figures, run in arms if pair % 2 == 0 else reversed(arms):
            figures.append(run())
            print(f"  {run.__name__}: {figures[-1]}", flush=True)
    count = len(sentences())
    rates = [
        statistics.median(count / run["seconds"] for run in figures) for figures in (bare, batch)
    ]
    cpus = [statistics.median(run["cpu_seconds"] for run in figures) for figures in (bare, batch)]
    return {
        "texts": count,
        "bare_embeddings_per_second": rates[0],
        "batch_embeddings_per_second": rates[1],
        "throughput_ratio": rates[1] / rates[0],
        "embeddings_per_cpu_second_ratio": cpus[0] / cpus[1],
    }


def run_bare() -> Figures:
    script = Path(__file__).with_name("bare_embedder.py")
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
    lines = [
        {"key": f"text-{number}", "request": {"content": {"parts": [{"text": text}]}}}
        for number, text in enumerate(sentences())
    ]
    with (
        tempfile.TemporaryDirectory(prefix="toplu-bench-") as folder,
        started_server(Path(folder)) as server,
    ):
        # The engine is lazy: the first call brings it up, outside of what is measured.
        body = {"content": {"parts": [{"text": "Warm up."}]}}
        warm = server.call("POST", "/v1beta/models/gemini-embedding-001:embedContent", body)
        assert warm.status == 200, warm.body
        cpu_before = cpu_seconds(server)
        operation = wait_until_done(server, create_batch(server, lines, EMBED), poll_seconds=0.5)
        used = cpu_seconds(server) - cpu_before
        metadata = operation["metadata"]
        results = server.call(
            "GET", f"/v1beta/{operation['response']['responsesFile']}:download?alt=media"
        ).body.splitlines()
    counts = [int(json.loads(line)["response"]["tokenCount"]) for line in results]
    assert len(counts) == len(lines), "every text has a vector"
    began, ended = (datetime.fromisoformat(metadata[at]) for at in ("createTime", "endTime"))
    return {
        "seconds": (ended - began).total_seconds(),
        "cpu_seconds": used,
        "tokens": sum(counts),
    }
