"""Measures what interactive calls notice of a batch on a real vLLM (CPU), and leave to it (B20).

The measure of a call is what it costs beside one request of a batch: no batch can have less. So
calls go to vLLM itself beside a script with one request in flight, and then through toplu beside
its batch. What is left to the batch is what the script is answered, beside the same calls, with as
many in flight as the batch had in the mean.
"""

import random
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import job_arms
from batches import create_batch
from calls import gemini_call, openai_call
from interference import Latencies, percentile
from peer_programs import run_peers
from sizes import Size
from vllm_batches import OPTIONS, Load, a_world, counters

from support.engines.running_vllm import HOME, MODEL, RunningVllm
from support.server import Server

CALLS = {Size.TINY: 2, Size.SELECTION: 12, Size.FULL: 20}
WARM_UP = {Size.TINY: 1, Size.SELECTION: 4, Size.FULL: 4}  # until it is known what a step costs
PAUSE_SECONDS = 0.5  # in the mean, between two calls
BATCH = Load(groups=400, each=1, shared_words=0, own_words=300, answer_tokens=24)
CALL_TOKENS = 8
SECONDS_MAX = 120.0
LOOK_SECONDS = 0.5
SETTLE_SECONDS = 8.0

Ask = Callable[[dict[str, Any]], tuple[list[float], int]]


class Seats:
    """Looks at how many requests run beside the calls, on a thread of its own."""

    def __init__(self, vllm: RunningVllm) -> None:
        self._vllm = vllm
        self._found: list[float] = []
        self._ended = threading.Event()

    @contextmanager
    def looked_at(self) -> Iterator[None]:
        thread = threading.Thread(target=self._look)
        thread.start()
        yield
        self._ended.set()
        thread.join()

    def _look(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            self._found.append(counters(self._vllm)["running"])

    @property
    def of_batch(self) -> float:
        """Return the mean number without the call that is always there."""
        return max(1.0, statistics.mean(self._found) - 1)


def measure(size: Size) -> dict[str, Any]:
    """Return the ratios of the calls' latencies, and the batch's part of what they leave."""
    count, warm_up = CALLS[size], WARM_UP[size]
    with a_world(*OPTIONS, "--scheduling-policy", "priority") as (vllm, server):

        def direct(line: dict[str, Any]) -> tuple[list[float], int]:
            return openai_call(vllm.url, line, SECONDS_MAX, model=MODEL)

        def through_toplu(line: dict[str, Any]) -> tuple[list[float], int]:
            return gemini_call(server.port, line, SECONDS_MAX)

        beside_one, _ = beside_script(vllm, direct, count, in_flight=1)
        beside_batch, rate, seats = beside_toplu(vllm, server, through_toplu, count, warm_up)
        _, left = beside_script(vllm, direct, count, in_flight=round(seats))
    return {
        "first_token_p95_beside_one_ms": 1000 * percentile(beside_one.first),
        "first_token_p95_beside_toplu_ms": 1000 * percentile(beside_batch.first),
        **beside_batch.over(beside_one),
        "seats_of_the_batch": seats,
        "batch_tokens_a_second": rate,
        "batch_over_the_rest": rate / left,
    }


def beside_script(
    vllm: RunningVllm, ask: Ask, count: int, *, in_flight: int
) -> tuple[Latencies, float]:
    """Return what calls saw beside the script, and its tokens a second."""
    bodies = [job_arms.body(line) for line in BATCH.lines(random.SystemRandom().randrange(10**6))]
    python = HOME / "bin" / "python"
    with run_peers.script_at_work(
        vllm.url, bodies, in_flight=in_flight, model=MODEL, python=python
    ):
        return calls_beside(vllm, ask, count)


def beside_toplu(
    vllm: RunningVllm, server: Server, ask: Ask, count: int, warm_up: int
) -> tuple[Latencies, float, float]:
    """Return what calls saw beside a batch, its tokens a second and its seats."""
    name = create_batch(server, BATCH.lines(random.SystemRandom().randrange(10**6)))
    time.sleep(SETTLE_SECONDS)
    calls_beside(vllm, ask, warm_up)
    seats = Seats(vllm)
    with seats.looked_at():
        latencies, rate = calls_beside(vllm, ask, count)
    assert server.call("POST", f"/v1beta/{name}:cancel").status == 200
    return latencies, rate, seats.of_batch


def calls_beside(vllm: RunningVllm, ask: Ask, count: int) -> tuple[Latencies, float]:
    """Make calls one after another; return what they saw, and what else was written a second."""
    latencies, chance = Latencies(), random.Random(count)
    load = Load(groups=count, each=1, shared_words=0, own_words=30, answer_tokens=CALL_TOKENS)
    before, begun = counters(vllm)["written"], time.perf_counter()
    for line in load.lines(random.SystemRandom().randrange(10**6)):
        latencies.note(*ask(line))
        time.sleep(chance.uniform(0, 2 * PAUSE_SECONDS))
    seconds = time.perf_counter() - begun
    return latencies, (counters(vllm)["written"] - before - latencies.tokens) / seconds
