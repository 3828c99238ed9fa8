"""Measures what a server needs to hand out a gigabyte of inline results to Google's SDK.

They stand twice in the reply, as everywhere. The server is started again before they are fetched,
so that what creating the batch took does not count.
"""

import tempfile
import time
from pathlib import Path
from typing import Any

from google.genai import types
from sizes import Size

from support.clients import sdk_client
from support.model_tables import echo_model
from support.server import Server, started_server

MIB = 1024 * 1024
BATCH_SECONDS_MAX = 600.0
CANDIDATES = 8  # each of them the whole text
REQUESTS = {Size.TINY: 2, Size.SELECTION: 16, Size.FULL: 128}


def measure(size: Size) -> dict[str, Any]:
    """Return the bytes of the results, and how many more the largest process needed for them."""
    config = types.GenerateContentConfig(candidate_count=CANDIDATES)
    text = "x" * MIB
    requests = [types.InlinedRequest(contents=text, config=config)] * REQUESTS[size]
    with (
        tempfile.TemporaryDirectory(prefix="toplu-bench-") as folder,
        started_server(Path(folder), config=echo_model(), inline_bytes_max=256 * MIB) as server,
        sdk_client(server.url) as client,
    ):
        name = client.batches.create(model="gemini-2.5-flash", src=requests).name
        assert name is not None
        server.wait_until(lambda: _is_done(server, name), BATCH_SECONDS_MAX, "the batch")
        server.restart()
        client.batches.list()
        before = server.memory_peak_bytes()
        began = time.monotonic()
        done = client.batches.get(name=name)
        seconds = time.monotonic() - began
        more = server.memory_peak_bytes() - before
    results_bytes = _bytes_of(done)
    assert results_bytes == REQUESTS[size] * CANDIDATES * len(text)
    return {
        "results_mib": results_bytes / MIB,
        "more_memory_mib": more / MIB,
        "seconds": seconds,
    }


def _is_done(server: Server, name: str) -> bool:
    """Return whether the batch has ended, without fetching its results."""
    batches = server.call("GET", "/v1beta/batches").json()["operations"]
    return any(batch["done"] for batch in batches if batch["name"] == name)


def _bytes_of(job: types.BatchJob) -> int:
    assert job.dest is not None
    return sum(
        len(candidate.content.parts[0].text)
        for result in job.dest.inlined_responses or []
        for candidate in result.response.candidates
    )
