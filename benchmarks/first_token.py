"""Measures the time to the first text of a stream, against the bare engine.

Both arms stay loaded, one idle while the other answers. Each question goes to both, and the arms
take turns to be first; either has the system instruction's prefix on its one lane that is used.
The bare arm calls llama.cpp as a function (`bare_first_token`), the other makes an HTTP call to
`toplu serve` on a connection of its own.
"""

import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from questions import questions
from sizes import Size

from support.server import Server, started_server

ASKED = {Size.TINY: 6, Size.SELECTION: 60, Size.FULL: 60}
WARM_UP = 4  # of them, not counted
ANSWER_SECONDS_MAX = 60
STREAM = "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"

Ask = Callable[[int], float]


def measure(size: Size) -> dict[str, Any]:
    """Return the medians of both arms and their ratio, bare over toplu: 1 is the best."""
    bare, streamed = [], []
    with (
        bare_engine() as ask_bare,
        tempfile.TemporaryDirectory(prefix="toplu-bench-") as folder,
        started_server(Path(folder)) as server,
    ):
        ask_toplu = toplu(server)
        for number in range(ASKED[size]):
            arms = [(bare, ask_bare), (streamed, ask_toplu)]
            for seconds, ask in arms if number % 2 == 0 else reversed(arms):
                seconds.append(ask(number))
    medians = [statistics.median(seconds[WARM_UP:]) for seconds in (bare, streamed)]
    return {
        "questions": ASKED[size] - WARM_UP,
        "bare_first_token_ms": medians[0] * 1000,
        "toplu_first_token_ms": medians[1] * 1000,
        "first_token_ratio": medians[0] / medians[1],
    }


@contextmanager
def bare_engine() -> Iterator[Ask]:
    script = Path(__file__).with_name("bare_first_token.py")
    with subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        says, asks = process.stdout, process.stdin

        def ask(number: int) -> float:
            asks.write(f"{number}\n")
            asks.flush()
            return float(says.readline())

        try:
            assert says.readline() == "ready\n", "the bare engine did not start"
            yield ask
        finally:
            process.kill()


def toplu(server: Server) -> Ask:
    bodies = [json.dumps(line["request"]).encode() for line in questions()]
    headers = {"x-goog-api-key": "any", "Content-Type": "application/json"}

    def ask(number: int) -> float:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, ANSWER_SECONDS_MAX)
        began = time.perf_counter()
        connection.request("POST", STREAM, bodies[number], headers)
        answer = connection.getresponse()
        event = answer.readline()
        took = time.perf_counter() - began
        assert json.loads(event.removeprefix(b"data: "))["candidates"][0]["content"]["parts"]
        answer.read()
        connection.close()
        return took

    return ask
