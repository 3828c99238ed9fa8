"""How much of the bare embedder's throughput a batch of embeddings gets.

Two arms, interleaved A B B A, each from a fresh process: the bare engine (`bare_embedder`), and
the same texts as one file batch through `toplu serve`.
"""

import statistics
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from arms import Figures, interleave, run_bare, run_batch
from batches import EMBED
from sentences import sentences

from server import started_server


def measure() -> dict[str, Any]:
    """Return the medians of both arms and their ratios, toplu over bare."""
    arms = interleave(partial(run_bare, "bare_embedder.py"), batch_of_sentences)
    count = len(sentences())
    rates = [statistics.median(count / run["seconds"] for run in figures) for figures in arms]
    cpus = [statistics.median(run["cpu_seconds"] for run in figures) for figures in arms]
    return {
        "texts": count,
        "bare_embeddings_per_second": rates[0],
        "batch_embeddings_per_second": rates[1],
        "throughput_ratio": rates[1] / rates[0],
        "embeddings_per_cpu_second_ratio": cpus[0] / cpus[1],
    }


def batch_of_sentences() -> Figures:
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
        figures, responses = run_batch(server, lines, EMBED)
    return figures | {"tokens": sum(int(response["tokenCount"]) for response in responses)}
