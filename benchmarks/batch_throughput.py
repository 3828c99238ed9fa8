"""How much of the bare engine's throughput a batch gets.

Two arms, interleaved A B B A, each from a fresh process: the bare engine (`bare_engine`), and
the same requests as one file batch through `toplu serve`.
"""

import statistics
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from arms import Figures, interleave, run_bare, run_batch
from questions import questions

from server import started_server


def measure() -> dict[str, Any]:
    """Return the medians of both arms and their ratios, toplu over bare."""
    arms = interleave(partial(run_bare, "bare_engine.py"), batch_of_questions)
    rates = [tokens_per_second(figures) for figures in arms]
    cpus = [cpu_per_token(figures) for figures in arms]
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


def batch_of_questions() -> Figures:
    with (
        tempfile.TemporaryDirectory(prefix="toplu-bench-") as folder,
        started_server(Path(folder)) as server,
    ):
        figures, responses = run_batch(server, questions())
    usages = [response["usageMetadata"] for response in responses]
    return figures | {
        "output_tokens": sum(usage["candidatesTokenCount"] for usage in usages),
        "cached_tokens": sum(usage.get("cachedContentTokenCount", 0) for usage in usages),
    }
