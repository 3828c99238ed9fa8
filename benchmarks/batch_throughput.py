"""Measures the share of the bare engine's throughput that a batch gets (B1).

Two arms, interleaved A B B A, each from a fresh process: the bare engine (`bare_engine`), and
the same requests as one file batch through `toplu serve`. What peers make of work that shares
nothing is in `job_gain`.
"""

from functools import partial
from typing import Any

import job_arms
from arms import interleave, median, run_bare_on
from questions import questions
from sizes import Size

from toplu.settings.server import DEFAULT_MODEL

REQUESTS = {Size.TINY: 8, Size.SELECTION: 80, Size.FULL: 200}
TURNS = {Size.TINY: 1, Size.SELECTION: 2, Size.FULL: 2}


def measure(size: Size) -> dict[str, Any]:
    """Return the medians of both arms and their ratios, toplu over bare."""
    lines = questions()[: REQUESTS[size]]
    lanes = DEFAULT_MODEL.lanes
    runs = interleave(
        {
            "bare": partial(run_bare_on, "bare_engine.py", lines, lanes),
            "toplu": partial(job_arms.run_toplu, lines, lanes),
        },
        TURNS[size],
    )
    rates = {name: median(each, "output_tokens", over="seconds") for name, each in runs.items()}
    of_cpu = {
        name: median(each, "output_tokens", over="cpu_seconds") for name, each in runs.items()
    }
    return {
        "requests": len(lines),
        "bare_tokens_per_second": rates["bare"],
        "toplu_tokens_per_second": rates["toplu"],
        "tokens_per_second_ratio": rates["toplu"] / rates["bare"],
        "tokens_per_cpu_second_ratio": of_cpu["toplu"] / of_cpu["bare"],
    }
