"""Measures the cost of a batch of one request beside the call itself (B15)."""

import json
import statistics
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from batches import create_batch, wait_until_done
from questions import questions
from sizes import Size

from support.server import Server, started_server

ROUNDS = {Size.TINY: 2, Size.SELECTION: 12, Size.FULL: 40}
POLL_SECONDS = 0.5  # seldom: a poll takes a core from the engine for some milliseconds
CALL = "/v1beta/models/gemini-2.5-flash:generateContent"


def measure(size: Size) -> dict[str, Any]:
    """Return the medians of both ways, in turns, and the batch over the call."""
    called, batched = [], []
    with (
        tempfile.TemporaryDirectory(prefix="toplu-bench-") as folder,
        started_server(Path(folder)) as server,
    ):
        call(server, questions()[0])
        for number, line in enumerate(questions()[: ROUNDS[size]]):
            arms = [(called, call), (batched, batch)]
            for seconds, run in arms if number % 2 == 0 else reversed(arms):
                seconds.append(run(server, line))
    medians = [statistics.median(seconds) for seconds in (called, batched)]
    return {
        "call_ms": medians[0] * 1000,
        "batch_ms": medians[1] * 1000,
        "batch_over_call": statistics.median(
            two / one for one, two in zip(called, batched, strict=True)
        ),
    }


def call(server: Server, line: dict[str, Any]) -> float:
    began = time.perf_counter()
    reply = server.call("POST", CALL, line["request"])
    assert json.loads(reply.body)["candidates"]
    return time.perf_counter() - began


def batch(server: Server, line: dict[str, Any]) -> float:
    """Return the seconds from createTime to endTime, which no polling makes longer."""
    name = create_batch(server, [line])
    metadata = wait_until_done(server, name, poll_seconds=POLL_SECONDS)["metadata"]
    began, ended = (datetime.fromisoformat(metadata[at]) for at in ("createTime", "endTime"))
    return (ended - began).total_seconds()
