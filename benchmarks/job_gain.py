"""Measures the gain of a job of real text by its order (B3), beside what people run instead.

All that computes is counted in CPU-seconds. The bound is theory with two measured prices
(`bare_costs`), of a token that is read and of one that is written: with T tokens in the prompts, of
which S can be shared, and O in the answers, a job costs no less than (T - S) · read + O · written.
Over a job that shares nothing that is a gain of 1 / (f (1 - S/T) + 1 - f), where f is the part of
reading in it.

The control set shares nothing. There the limit is the bare engine, fed in the order of the file.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import bigbench
import job_arms
from arms import Figures, Lines, interleave, median, run_bare_on
from sizes import Size

from toplu.settings.server import DEFAULT_MODEL

LANES = DEFAULT_MODEL.lanes
MANY_LANES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """The number of passages, and of runs of each arm."""

    passages: int
    questions: int
    many_passages: int  # where there are many lanes
    control: int
    turns: int


SIZES = {
    Size.TINY: Sizes(passages=2, questions=2, many_passages=0, control=4, turns=1),
    Size.SELECTION: Sizes(passages=8, questions=8, many_passages=0, control=16, turns=1),
    Size.FULL: Sizes(passages=16, questions=10, many_passages=32, control=32, turns=2),
}


def measure(size: Size) -> dict[str, Any]:
    """Return the gains at four lanes and at many, and the figures of the control set."""
    sizes = SIZES[size]
    costs = run_bare_on("bare_costs.py", control_lines(max(8, sizes.control)), LANES)
    print(f"  {costs}", flush=True)
    lines = bigbench.lines("multirc", passages=sizes.passages, questions=sizes.questions)
    figures = gains(lines, LANES, costs, sizes.turns)
    if sizes.many_passages:
        lines = bigbench.lines("multirc", passages=sizes.many_passages, questions=sizes.questions)
        many = interleave(
            {
                "toplu": partial(job_arms.run_toplu, lines, MANY_LANES),
                "script": partial(job_arms.run_peer, "script", lines, MANY_LANES),
            },
            1,
        )
        ratio = cpu(many["script"]) / cpu(many["toplu"])
        figures[f"script_cpu_over_toplu_{MANY_LANES}_lanes"] = ratio
    return figures | control(control_lines(sizes.control), sizes.turns)


def control_lines(count: int) -> Lines:
    """Return questions about a passage of its own each."""
    return bigbench.lines("quoref", passages=count, questions=1)


def gains(lines: Lines, lanes: int, costs: Figures, turns: int) -> dict[str, Any]:
    """Return what the peers cost over toplu, and how near to the bound toplu is."""
    arms = {"toplu": partial(job_arms.run_toplu, lines, lanes)}
    arms |= {name: partial(job_arms.run_peer, name, lines, lanes) for name in job_arms.PEERS}
    runs = interleave(arms, turns)
    shareable = job_arms.shareable_tokens(lines)
    read = costs["read_cpu_seconds"] * median(runs["toplu"], "prompt_tokens")
    written = costs["written_cpu_seconds"] * median(runs["toplu"], "output_tokens")
    shared = shareable / median(runs["toplu"], "prompt_tokens")
    least = read * (1 - shared) + written
    figures: dict[str, Any] = {
        "requests": len(lines),
        "shared": shared,
        "bound_of_the_gain": (read + written) / least,
        "toplu_of_the_bound": least / cpu(runs["toplu"]),
    }
    for name, each in runs.items():
        figures[f"{name}_cached_over_shareable"] = median(each, "cached_tokens") / shareable
    for name in job_arms.PEERS:
        figures[f"{name}_cpu_over_toplu"] = cpu(runs[name]) / cpu(runs["toplu"])
        seconds = median(runs[name], "seconds") / median(runs["toplu"], "seconds")
        figures[f"{name}_seconds_over_toplu"] = seconds
    return figures


def control(lines: Lines, turns: int) -> dict[str, Any]:
    """Return what toplu makes of work that shares nothing, over the others."""
    runs = interleave(
        {
            "toplu": partial(job_arms.run_toplu, lines, LANES),
            "file order": partial(run_bare_on, "bare_engine.py", lines, LANES),
            "script": partial(job_arms.run_peer, "script", lines, LANES),
        },
        turns,
    )
    return {
        "control_over_file_order": rate(runs["toplu"]) / rate(runs["file order"]),
        "control_over_script": rate(runs["toplu"]) / rate(runs["script"]),
    }


def cpu(runs: list[Figures]) -> float:
    return median(runs, "cpu_seconds")


def rate(runs: list[Figures]) -> float:
    """Return tokens read and written for a CPU-second; arms may end an answer a token apart."""
    return (median(runs, "prompt_tokens") + median(runs, "output_tokens")) / cpu(runs)
