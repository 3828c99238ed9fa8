"""Measures the share of the bare embedder's throughput that a batch of embeddings gets.

Two arms, interleaved A B B A, each from a fresh process: the bare engine (`bare_embedder`), and
the same texts as one file batch through `toplu serve`.
"""

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from arms import Figures, interleave, median, run_bare, run_batch
from batches import EMBED
from sentences import sentences
from sizes import Size

from support.server import started_server

TEXTS = {Size.TINY: 20, Size.SELECTION: 3000, Size.FULL: 3000}
TURNS = 2


def measure(size: Size) -> dict[str, Any]:
    """Return the medians of both arms and their ratios, toplu over bare."""
    count = TEXTS[size]
    bare = partial(run_bare, "bare_embedder.py", str(count))
    runs = interleave({"bare": bare, "toplu": partial(batch_of_sentences, count)}, TURNS)
    seconds = {name: median(each, "seconds") for name, each in runs.items()}
    cpus = {name: median(each, "cpu_seconds") for name, each in runs.items()}
    return {
        "texts": count,
        "bare_texts_per_second": count / seconds["bare"],
        "toplu_texts_per_second": count / seconds["toplu"],
        "texts_per_second_ratio": seconds["bare"] / seconds["toplu"],
        "texts_per_cpu_second_ratio": cpus["bare"] / cpus["toplu"],
    }


def batch_of_sentences(count: int) -> Figures:
    lines = [
        {"key": f"text-{number}", "request": {"content": {"parts": [{"text": text}]}}}
        for number, text in enumerate(sentences()[:count])
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
