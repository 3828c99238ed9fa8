"""Measures how much of what requests share is read once (B2): cached tokens over the most.

The limit is counted, not run: the edges of the trie of all prompts (`prefix_bound`). All arms have
the counting model, whose tokens, lanes and prefixes are those of the default model; at four lanes
and 96 requests both counted the very same.
"""

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import bigbench
import job_arms
from arms import Figures, Lines
from counting_model import write_counting_model
from sizes import Size

# A lane has some passages to itself: few, and the cuts between lanes are most of what is lost.
PASSAGES_PER_LANE = {Size.TINY: 2, Size.SELECTION: 5, Size.FULL: 5}
LANES = {Size.TINY: (4,), Size.SELECTION: (4, 16), Size.FULL: (4, 8, 16)}
PEERS = {Size.TINY: (), Size.SELECTION: (), Size.FULL: tuple(job_arms.PEERS)}
ANSWER_TOKENS_MAX = 4  # what is measured is how prompts are read


def measure(size: Size) -> dict[str, Any]:
    """Return the shares of all sets at every number of lanes, and the peers' of the first set.

    `computed` is what the script computes of the prompts, over what toplu computes.
    """
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="toplu-bench-") as folder:
        weights = write_counting_model(Path(folder) / "counting.gguf")
        toplu = partial(job_arms.run_toplu, weights=weights)
        peers = {name: partial(job_arms.run_peer, name, weights=weights) for name in PEERS[size]}
        for lanes in LANES[size]:
            for place, (name, lines) in enumerate(sets(size, lanes).items()):
                shareable = job_arms.shareable_tokens(lines)
                print(f"  {name}: {len(lines)} requests, {shareable} tokens can be shared")
                runs = {"toplu": toplu(lines, lanes)}
                if place == 0:
                    runs |= {peer: run(lines, lanes) for peer, run in peers.items()}
                if "script" in runs:
                    computed = _computed(runs["script"]) / _computed(runs["toplu"])
                    figures[f"computed_{name}_{lanes}_lanes"] = computed
                for arm, run in runs.items():
                    share = run["cached_tokens"] / shareable
                    figures[f"{arm}_{name}_{lanes}_lanes"] = share
    return figures


def sets(size: Size, lanes: int) -> dict[str, Lines]:
    """Return the sets of requests by name."""
    passages = lanes * PASSAGES_PER_LANE[size]
    if size is Size.TINY:
        return {"sample": _questions(bigbench.SAMPLE, passages, 4)}
    found = {"multirc": _questions("multirc", passages, 8)}
    if size is Size.FULL:
        few_shot = bigbench.few_shot_lines(
            "quoref", sets=passages // 2, questions=8, answer_tokens_max=ANSWER_TOKENS_MAX
        )
        found |= {"quoref": _questions("quoref", passages, 3), "few_shot": few_shot}
    return found


def _questions(task: str, passages: int, questions: int) -> Lines:
    return bigbench.lines(
        task, passages=passages, questions=questions, answer_tokens_max=ANSWER_TOKENS_MAX
    )


def _computed(run: Figures) -> float:
    return run["prompt_tokens"] - run["cached_tokens"]
