"""Measures the speed of free decoding that is left when a schema holds the answer (B17).

Batches of the same questions on one server, free and in two forms, interleaved; every answer has as
many tokens as it may: the schemas ask for more than fits. One lane by the clock, four lanes kept
full by tokens per CPU-second.
"""

import tempfile
from pathlib import Path
from typing import Any

from arms import interleave, median, run_batch, token_counts
from questions import questions
from sizes import Size

from support.model_tables import model_table
from support.server import Server, started_server

TURNS = {Size.TINY: 1, Size.SELECTION: 3, Size.FULL: 5}
QUESTIONS = {Size.TINY: 2, Size.SELECTION: 8, Size.FULL: 24}
ANSWER_TOKENS = 96
RECORD = {
    "type": "OBJECT",
    "properties": {
        "subject": {"type": "STRING", "maxLength": 40},
        "level": {"type": "STRING", "enum": ["easy", "medium", "hard"]},
        "answer": {"type": "STRING", "minLength": 2000},
    },
    "required": ["subject", "level", "answer"],
}
LABELS = {
    "type": "ARRAY",
    "items": {"type": "STRING", "enum": [f"value number {number}" for number in range(1000)]},
    "minItems": 100,
}
FORMS: dict[str, dict[str, Any]] = {
    "free": {},
    "record": {"responseMimeType": "application/json", "responseSchema": RECORD},
    "labels": {"responseMimeType": "application/json", "responseSchema": LABELS},
}


def measure(size: Size) -> dict[str, Any]:
    """Return the ratios of both forms, structured over free, on one lane and on four."""
    one = _ratios(size, 1, "seconds")
    four = _ratios(size, 4, "cpu_seconds")
    return {
        "requests": QUESTIONS[size],
        **{f"one_lane_{name}_ratio": ratio for name, ratio in one.items()},
        **{f"four_lanes_{name}_per_cpu_ratio": ratio for name, ratio in four.items()},
    }


def _ratios(size: Size, lanes: int, over: str) -> dict[str, float]:
    with (
        tempfile.TemporaryDirectory(prefix="toplu-bench-") as folder,
        started_server(Path(folder), config=model_table(lanes=lanes)) as server,
    ):

        def run(form: dict[str, Any]) -> dict[str, float]:
            return _run(server, form, QUESTIONS[size])

        run({})  # the first batch finds every lane cold
        arms = {name: (lambda form=form: run(form)) for name, form in FORMS.items()}
        runs = interleave(arms, TURNS[size])
    rates = {name: median(each, "output_tokens", over=over) for name, each in runs.items()}
    return {name: rate / rates["free"] for name, rate in rates.items() if name != "free"}


def _run(server: Server, form: dict[str, Any], count: int) -> dict[str, float]:
    lines = questions()[:count]
    for line in lines:
        (part,) = line["request"]["contents"][-1]["parts"]
        part["text"] = f"Write a very long story around this question: {part['text']}"
        config = line["request"].setdefault("generationConfig", {})
        config |= form | {"maxOutputTokens": ANSWER_TOKENS}
    figures, responses = run_batch(server, lines)
    return figures | token_counts(responses)
