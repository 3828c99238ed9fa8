"""Measures what a batch gains by its order on a real vLLM (CPU), beside a plain client (B19).

Arms of the same work: "sorted" is the asyncio script on lines that are in order, which nobody's
input is; "script" is the same on lines as they come; "toplu" is a batch of these. In "ample" the
memory holds the prefixes of all groups, in "short" it does not, "unshared" shares nothing. The
bound of what can be reused is a trie's, in whole blocks, as vLLM reuses them.
"""

import itertools
import json
import random
import re
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import job_arms
from arms import Figures, Lines, interleave, median, run_batch, token_counts
from peer_programs import run_peers
from sizes import Size

from support.engines.running_vllm import CONTEXT_TOKENS, HOME, MODEL, RunningVllm, running_vllm
from support.server import Server, started_server

SEATS = 32
OPTIONS = (
    *("--max-num-seqs", str(SEATS)),
    *("--max-num-batched-tokens", "512"),
    "--enable-chunked-prefill",
)
BLOCK_TOKENS = 128  # of vLLM on a CPU
SHORT_BLOCKS = 48
TURNS = {Size.TINY: 1, Size.SELECTION: 1, Size.FULL: 2}
SECONDS_MAX = 60
WORDS = ("river", "stone", "garden", "winter", "letter", "market", "engine", "window", "forest")
CONFIG = """
[[models]]
name = "smol"
aliases = ["gemini-*"]
engine = "openai_server"
servers = [{ url = "%s", model = "smol" }]
context_tokens = %d
output_tokens_max = 256
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Groups of lines that share their beginning; all of them are made by a seed."""

    groups: int
    each: int
    shared_words: int = 600
    own_words: int = 16
    answer_tokens: int = 8

    def lines(self, seed: int) -> Lines:
        """Return the lines in order."""
        rng = random.Random(seed)
        lines = []
        for group in range(self.groups):
            head = f"Notes {seed}-{group}. {words(rng, self.shared_words)}"
            for number in range(self.each):
                text = f"{head}\nQuestion {number}: {words(rng, self.own_words)}?"
                lines.append(
                    {
                        "key": f"{group}-{number}",
                        "request": {
                            "contents": [{"parts": [{"text": text}]}],
                            "generationConfig": {
                                "temperature": 0,
                                "maxOutputTokens": self.answer_tokens,
                            },
                        },
                    }
                )
        return lines


LOADS = {
    Size.TINY: {"ample": Load(groups=2, each=4), "short": Load(groups=2, each=4)},
    Size.SELECTION: {
        "ample": Load(groups=4, each=24),
        "short": Load(groups=12, each=8),
        "unshared": Load(groups=64, each=1),
    },
}
LOADS[Size.FULL] = LOADS[Size.SELECTION]


def words(rng: random.Random, count: int) -> str:
    return " ".join(rng.choice(WORDS) for _ in range(count))


def measure(size: Size) -> dict[str, Any]:
    """Return toplu's rate over the others', and its part of what can be reused."""
    figures: dict[str, Any] = {}
    loads = LOADS[size]
    with a_world(*OPTIONS) as (vllm, server):
        for name in loads.keys() - {"short"}:
            figures |= compare(name, loads[name], vllm, server, TURNS[size])
    with a_world(*OPTIONS, "--num-gpu-blocks-override", str(SHORT_BLOCKS)) as (vllm, server):
        figures |= compare("short", loads["short"], vllm, server, TURNS[size])
    return figures


@contextmanager
def a_world(*options: str) -> Iterator[tuple[RunningVllm, Server]]:
    """Yield a vLLM and a toplu before it."""
    with tempfile.TemporaryDirectory(prefix="toplu-bench-") as folder:
        place = Path(folder)
        with running_vllm(place, *options) as vllm:
            config = CONFIG % (f"{vllm.url}/v1", CONTEXT_TOKENS)
            with started_server(place, config=config) as server:
                yield vllm, server


def compare(
    name: str, load: Load, vllm: RunningVllm, server: Server, turns: int
) -> dict[str, float]:
    """Return the figures of one load; each run has lines of its own, so that none finds others'."""
    seeds = itertools.count(random.SystemRandom().randrange(10**6))

    def script(*, is_sorted: bool) -> Figures:
        lines = list(load.lines(next(seeds)))
        if not is_sorted:
            random.Random(0).shuffle(lines)
        bodies = [job_arms.body(line) for line in lines]
        return run_peers.run_script(
            vllm.url, bodies, in_flight=SEATS, model=MODEL, python=HOME / "bin" / "python"
        )

    def toplu() -> Figures:
        lines = list(load.lines(next(seeds)))
        random.Random(0).shuffle(lines)
        figures, responses = run_batch(server, lines)
        return figures | token_counts(responses)

    def counted(arm: Any, **options: Any) -> Figures:
        before = counters(vllm)
        figures: Figures = arm(**options)
        after = counters(vllm)
        return figures | {each: after[each] - before[each] for each in before}

    runs = interleave(
        {
            "sorted": lambda: counted(script, is_sorted=True),
            "toplu": lambda: counted(toplu),
            "script": lambda: counted(script, is_sorted=False),
        },
        turns,
    )
    return ratios(name, runs, shareable_tokens(vllm, load.lines(next(seeds))))


def ratios(name: str, runs: dict[str, list[Figures]], shareable: int) -> dict[str, float]:
    """Return what is to be compared of the runs of one load."""
    figures = {}
    for other in ("sorted", "script"):
        for of in ("seconds", "vllm_cpu_seconds"):
            pairs = zip(runs[other], runs["toplu"], strict=True)
            sample = [{of: one[of] / toplu[of]} for one, toplu in pairs]
            figures[f"{name}_toplu_over_{other}_by_{of}"] = median(sample, of)
    if not shareable:
        return figures
    reused = {arm: median(runs[arm], "from_cache") for arm in runs}
    for arm, tokens in reused.items():
        figures[f"{name}_{arm}_reused_of_the_bound"] = tokens / shareable
    return figures


def counters(vllm: RunningVllm) -> Figures:
    """Return what the server has done so far."""
    with urllib.request.urlopen(f"{vllm.url}/metrics", timeout=SECONDS_MAX) as reply:
        text = reply.read().decode()

    def total(name: str) -> float:
        return sum(map(float, re.findall(rf"^vllm:{name}\{{.*\}} (\S+)$", text, re.MULTILINE)))

    return {
        "from_cache": total("prefix_cache_hits_total"),
        "put_back": total("num_preemptions_total"),
        "running": total("num_requests_running"),
        "written": total("generation_tokens_total"),
        "vllm_cpu_seconds": run_peers.cpu_seconds(vllm.pid),
    }


def shareable_tokens(vllm: RunningVllm, lines: Lines) -> int:
    """Return how many tokens of the lines in order stand in whole blocks of the line before."""
    prompts = sorted(tokens_of(vllm, job_arms.body(line)["messages"]) for line in lines)
    return sum(
        common(before, prompt) // BLOCK_TOKENS * BLOCK_TOKENS
        for before, prompt in itertools.pairwise(prompts)
    )


def common(one: Sequence[int], other: Sequence[int]) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (left, right) in pairs if left != right), len(one))


def tokens_of(vllm: RunningVllm, messages: Any) -> list[int]:
    body = json.dumps({"model": MODEL, "messages": messages}).encode()
    request = urllib.request.Request(
        f"{vllm.url}/tokenize", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=SECONDS_MAX) as reply:
        tokens: list[int] = json.load(reply)["tokens"]
    return tokens
