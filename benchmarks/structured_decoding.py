"""How much of the speed of free decoding is left when a grammar holds the answer to a schema.

Two arms, interleaved A B B A, as batches of the same questions on one server. Both answer with as
many tokens as they may: the schema asks for more text than fits.
"""

import json
import tempfile
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from batches import create_batch, wait_until_done
from questions import questions
from sizes import Size

from support.server import Server, started_server

PAIRS = 2
QUESTIONS = {Size.TINY: 4, Size.SELECTION: 60, Size.FULL: 60}
LONG_TEXT = {"type": "STRING", "minLength": 600}
FORM = {
    "responseMimeType": "application/json",
    "responseSchema": {
        "type": "OBJECT",
        "properties": {
            "subject": {"type": "STRING", "maxLength": 40},
            "level": {"type": "STRING", "enum": ["easy", "medium", "hard"]},
            "answer": LONG_TEXT,
        },
        "required": ["subject", "level", "answer"],
    },
}


def measure(size: Size) -> dict[str, Any]:
    """Return the medians of both arms and their ratio, structured over free."""
    free, structured = [], []
    with (
        tempfile.TemporaryDirectory(prefix="toplu-bench-") as folder,
        started_server(Path(folder)) as server,
    ):
        count = QUESTIONS[size]
        tokens_per_second(server, {}, count)  # the first batch finds every lane cold
        for pair in range(PAIRS):
            arms = [(free, {}), (structured, FORM)]
            for rates, form in arms if pair % 2 == 0 else reversed(arms):
                rates.append(tokens_per_second(server, form, count))
    return {
        "requests": count,
        "free_tokens_per_second": median(free),
        "structured_tokens_per_second": median(structured),
        "structured_ratio": median(structured) / median(free),
    }


def tokens_per_second(server: Server, form: dict[str, Any], count: int) -> float:
    """Return how fast a batch of the questions is answered in the form."""
    lines = questions()[:count]
    for line in lines:
        line["request"]["generationConfig"] |= form
    operation = wait_until_done(server, create_batch(server, lines), poll_seconds=0.2)
    metadata = operation["metadata"]
    results = server.call(
        "GET", f"/v1beta/{operation['response']['responsesFile']}:download?alt=media"
    )
    tokens = sum(
        line["response"]["usageMetadata"]["candidatesTokenCount"] for line in _lines(results.body)
    )
    began, ended = (datetime.fromisoformat(metadata[at]) for at in ("createTime", "endTime"))
    return tokens / (ended - began).total_seconds()


def _lines(content: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in content.splitlines()]
