"""What interactive calls notice of a batch on the same engine, and what they leave it (B5).

Calls come at random, at the same moments in every round. Rounds without a batch and rounds beside
one take turns on one server; a third kind has the batch alone, which says how many tokens an engine
with nothing else to do writes. What is left for the batch is that, less the tokens of the calls.
"""

import http.client
import itertools
import json
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from batches import create_batch
from questions import questions

from server import Server, started_server

ROUNDS = 2  # of each kind
CALLS = 20  # in a round
CALLS_PER_SECOND = 0.5
WARM_UP = 2
ANSWER_SECONDS_MAX = 120
STREAM = "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
P95 = 0.95
BATCHES = 4
OK = 200


def measure(*, rounds: int = ROUNDS, calls: int = CALLS) -> dict[str, Any]:
    """Return the ratios of both latencies, beside a batch over without, and the batch's part."""
    alone, beside = Latencies(), Latencies()
    idle_rates: list[float] = []
    beside_rates: list[float] = []
    with (
        tempfile.TemporaryDirectory(prefix="toplu-bench-") as folder,
        started_server(Path(folder), log_level="debug") as server,
    ):
        run_calls(server, WARM_UP, Latencies())
        for _ in range(rounds):
            run_calls(server, calls, alone)
            with batches_in_the_way(server) as names:
                before = written(server, names)
                seconds = run_calls(server, calls, beside)
                beside_rates.append((written(server, names) - before) / seconds)
            with batches_in_the_way(server) as names:
                before = written(server, names)
                time.sleep(seconds)
                idle_rates.append((written(server, names) - before) / seconds)
    call_rate = beside.tokens / beside.seconds
    left = statistics.mean(idle_rates) - call_rate
    return {
        "calls": rounds * calls,
        "first_token_p95_ms": 1000 * percentile(alone.first),
        "first_token_p95_beside_ms": 1000 * percentile(beside.first),
        "first_token_ratio": percentile(beside.first) / percentile(alone.first),
        "between_tokens_ratio": percentile(beside.between) / percentile(alone.between),
        "preempted": sum(beside.preempted),
        "batch_over_what_is_left": statistics.mean(beside_rates) / left,
    }


class Latencies:
    """What the calls of one kind of round saw."""

    def __init__(self) -> None:
        self.first: list[float] = []  # seconds to the first text
        self.between: list[float] = []  # seconds from one text to the next
        self.tokens = 0
        self.seconds = 0.0
        self.preempted: list[int] = []


def run_calls(server: Server, count: int, latencies: Latencies) -> float:
    """Make the calls of one round, each in a thread; return how long they took together."""
    chance = random.Random(count)
    bodies = [json.dumps(line["request"]).encode() for line in questions()[:count]]
    preempted = len(server.events("request_preempted"))
    began = time.perf_counter()
    threads = []
    for body in bodies:
        time.sleep(chance.expovariate(CALLS_PER_SECOND))
        threads.append(threading.Thread(target=ask, args=(server, body, latencies)))
        threads[-1].start()
    for thread in threads:
        thread.join(ANSWER_SECONDS_MAX)
    seconds = time.perf_counter() - began
    assert len(latencies.first) % count == 0, "every call is answered"
    latencies.seconds += seconds
    latencies.preempted.append(len(server.events("request_preempted")) - preempted)
    return seconds


def ask(server: Server, body: bytes, latencies: Latencies) -> None:
    headers = {"x-goog-api-key": "any", "Content-Type": "application/json"}
    connection = http.client.HTTPConnection("127.0.0.1", server.port, ANSWER_SECONDS_MAX)
    times = [time.perf_counter()]
    connection.request("POST", STREAM, body, headers)
    last: dict[str, Any] = {}
    for event in connection.getresponse():
        if event.startswith(b"data: "):
            times.append(time.perf_counter())
            last = json.loads(event.removeprefix(b"data: "))
    connection.close()
    waits = [after - before for before, after in itertools.pairwise(times)]
    latencies.first.append(waits[0])
    latencies.between += waits[1:]
    latencies.tokens += last["usageMetadata"]["candidatesTokenCount"]


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
