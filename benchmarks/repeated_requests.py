"""Counts the requests that run of a job with repeated ones (B4): at best each once."""

import tempfile
from pathlib import Path
from random import Random
from typing import Any

from batches import create_batch, wait_until_done
from control_plane import CATALOGUE
from sizes import Size

from support.server import started_server

DISTINCT = {Size.TINY: 70, Size.SELECTION: 2000, Size.FULL: 2000}
REPEATED = 0.3  # of all


def measure(size: Size) -> dict[str, Any]:
    """Return requests run over distinct ones, as the server's log counts them."""
    texts = [f"question {number}" for number in range(DISTINCT[size])]
    random = Random(4)
    asked = texts + random.choices(texts, k=round(len(texts) * REPEATED / (1 - REPEATED)))
    random.shuffle(asked)
    lines = [
        {
            "key": f"k{number}",
            "request": {
                "contents": [{"parts": [{"text": text}]}],
                "generationConfig": {"temperature": 0},
            },
        }
        for number, text in enumerate(asked)
    ]
    with (
        tempfile.TemporaryDirectory(prefix="toplu-bench-") as folder,
        started_server(Path(folder), config=CATALOGUE, log_level="debug") as server,
    ):
        metadata = wait_until_done(server, create_batch(server, lines), poll_seconds=0.2)[
            "metadata"
        ]
        run = len(server.events("request_started"))
    return {
        "requests": len(lines),
        "distinct": len(texts),
        "run_over_distinct": run / len(texts),
        "reported_deduplicated": int(metadata["toplu"]["deduplicatedRequestCount"]),
    }
