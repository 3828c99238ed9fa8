"""Measures what interactive calls notice of a batch on the same engine, and leave to it (B5).

Calls come at random, at the same moments in every round. Rounds without a batch and rounds beside
one take turns on one server; a third kind has the batch alone, which says how many tokens an engine
with nothing else to do writes. What is left for the batch is that, less the tokens of the calls.

Two more arms say what the ratios could be. The limit is the bare engine (`bare_steps`): how long a
step with every lane at work takes over a step with one, which no order of requests can change. The
peer is llama-server with the same calls, beside an asyncio script that keeps its slots full.
"""

import itertools
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import job_arms
from arms import run_bare
from batches import create_batch
from calls import Call, gemini_call, openai_call
from peer_programs import run_peers
from questions import questions
from sizes import Size

from support.server import Server, started_server
from toplu.settings.server import DEFAULT_MODEL

ROUNDS = {Size.TINY: 1, Size.SELECTION: 1, Size.FULL: 2}  # of each kind
CALLS = {Size.TINY: 2, Size.SELECTION: 20, Size.FULL: 20}  # in a round
LANES = DEFAULT_MODEL.lanes
CALLS_PER_SECOND = 0.5
WARM_UP = 2
ANSWER_SECONDS_MAX = 120
P95 = 0.95
BATCHES = 4
PEER_COPIES = 8  # of the questions that the script asks: more than the calls see the end of
OK = 200


class Latencies:
    """The latencies of one kind of round."""

    def __init__(self) -> None:
        self.first: list[float] = []  # seconds to the first text
        self.between: list[float] = []  # seconds from one text to the next
        self.tokens = 0
        self.seconds = 0.0

    def note(self, times: Sequence[float], tokens: int) -> None:
        """Take what one call saw: when it began, and when each text came."""
        waits = [after - before for before, after in itertools.pairwise(times)]
        self.first.append(waits[0])
        self.between += waits[1:]
        self.tokens += tokens

    def over(self, alone: "Latencies") -> dict[str, float]:
        """Return the ratios of the 95th percentiles."""
        return {
            "first_token_ratio": percentile(self.first) / percentile(alone.first),
            "between_tokens_ratio": percentile(self.between) / percentile(alone.between),
        }


def measure(size: Size) -> dict[str, Any]:
    """Return the ratios of both latencies, beside a batch over without, and the batch's part."""
    limit = run_bare("bare_steps.py", str(LANES))
    print(f"  bare engine: {limit}", flush=True)
    figures = beside_a_batch(ROUNDS[size], CALLS[size])
    figures["limit_between_tokens_ratio"] = limit["step_ratio"]
    figures["between_tokens_over_limit"] = figures["between_tokens_ratio"] / limit["step_ratio"]
    if size is not Size.SELECTION:
        peer = beside_a_script(ROUNDS[size], CALLS[size])
        figures |= {f"script_{name}": ratio for name, ratio in peer.items()}
    return figures


def beside_a_batch(rounds: int, calls: int) -> dict[str, Any]:
    """Return toplu's figures."""
    alone, beside = Latencies(), Latencies()
    idle_rates: list[float] = []
    beside_rates: list[float] = []
    with (
        tempfile.TemporaryDirectory(prefix="toplu-bench-") as folder,
        started_server(Path(folder), log_level="debug") as server,
    ):
        call = partial(gemini_call, server.port)
        run_calls(call, WARM_UP, Latencies())
        for _ in range(rounds):
            run_calls(call, calls, alone)
            with batches_in_the_way(server) as names:
                before = written(server, names)
                seconds = run_calls(call, calls, beside)
                beside_rates.append((written(server, names) - before) / seconds)
            preempted = len(server.events("request_preempted"))
            with batches_in_the_way(server) as names:
                before = written(server, names)
                time.sleep(seconds)
                idle_rates.append((written(server, names) - before) / seconds)
    left = statistics.mean(idle_rates) - beside.tokens / beside.seconds
    return {
        "calls": rounds * calls,
        "first_token_p95_ms": 1000 * percentile(alone.first),
        "first_token_p95_beside_ms": 1000 * percentile(beside.first),
        "between_tokens_p95_ms": 1000 * percentile(alone.between),
        "between_tokens_p95_beside_ms": 1000 * percentile(beside.between),
        **beside.over(alone),
        "preempted": preempted,
        "batch_over_what_is_left": statistics.mean(beside_rates) / left,
    }


def beside_a_script(rounds: int, calls: int) -> dict[str, float]:
    """Return the ratios of llama-server, whose slots a script keeps full."""
    alone, beside = Latencies(), Latencies()
    bodies = [job_arms.body(line) for line in questions()] * PEER_COPIES
    with job_arms.stock_server(LANES) as (address, _):
        call = partial(openai_call, address)
        run_calls(call, WARM_UP, Latencies())
        for _ in range(rounds):
            run_calls(call, calls, alone)
            with run_peers.script_at_work(address, bodies, in_flight=LANES):
                run_calls(call, calls, beside)
    return beside.over(alone)


def run_calls(call: Call, count: int, latencies: Latencies) -> float:
    """Make the calls of one round, each in a thread; return how long they took together."""
    chance = random.Random(count)
    lines = questions()[:count]
    answered = len(latencies.first)
    began = time.perf_counter()
    threads = []
    for line in lines:
        time.sleep(chance.expovariate(CALLS_PER_SECOND))
        threads.append(threading.Thread(target=ask, args=(call, line, latencies)))
        threads[-1].start()
    for thread in threads:
        thread.join(ANSWER_SECONDS_MAX)
    seconds = time.perf_counter() - began
    assert len(latencies.first) == answered + count, "every call is answered"
    latencies.seconds += seconds
    return seconds


def ask(call: Callable[..., tuple[list[float], int]], line: Any, latencies: Latencies) -> None:
    latencies.note(*call(line, ANSWER_SECONDS_MAX))


@contextmanager
def batches_in_the_way(server: Server) -> Iterator[list[str]]:
    """Keep every lane busy with batches while the body runs; yield their names."""
    lines = questions()
    # More than the body can see the end of.
    names = [create_batch(server, lines) for _ in range(BATCHES)]
    server.wait_until(lambda: written(server, names) > 0, 60.0, "the batches to run")
    yield names
    for name in names:
        assert server.call("POST", f"/v1beta/{name}:cancel").status == OK


def written(server: Server, names: list[str]) -> int:
    """Return the tokens of all answers so far; those in the making are not among them."""
    operations = [server.call("GET", f"/v1beta/{name}").json() for name in names]
    return sum(
        int(operation["metadata"]["toplu"]["usage"]["outputTokenCount"]) for operation in operations
    )


def percentile(seconds: list[float]) -> float:
    return sorted(seconds)[int(P95 * (len(seconds) - 1))]
