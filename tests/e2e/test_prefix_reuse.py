"""A batch on four lanes of the real model reads what its requests share about once."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from support.jobs import create_job, question, results_of
from support.model_tables import quick_model
from support.server import Server, started_server

PASSAGES = 8
QUESTIONS = 4
OUTPUT_TOKENS = 4
SHARE_OF_LIMIT_MIN = 0.97
PLACES = ("harbour", "mill", "school", "market", "forest", "station", "garden", "castle")
ASKED = ("Who owns it?", "Where does it stand?", "How old is it?", "What is it made of?")


def passage(number: int) -> str:
    place = PLACES[number]
    return " ".join(
        f"The {place} of town {number} has a keeper with {count} keys, "
        f"who opens door {count * 7 % 31} of the {place} every morning and writes it down."
        for count in range(2, 10)
    )


def usage_of(response: dict[str, Any]) -> tuple[int, int]:
    usage = response["usageMetadata"]
    return usage["promptTokenCount"], usage.get("cachedContentTokenCount", 0)


def limit_of(folder: Path, texts: list[str]) -> tuple[int, int]:
    """The tokens that one lane has cached, asked one after another in the best order."""
    with started_server(folder, config=quick_model(OUTPUT_TOKENS, lanes=1)) as server:
        usages = [usage_of(ask(server, text)) for text in sorted(texts)]
    return sum(prompt for prompt, _ in usages), sum(cached for _, cached in usages)


def ask(server: Server, text: str) -> dict[str, Any]:
    body = question(0, text, temperature=0)["request"]
    reply = server.call("POST", "/v1beta/models/gemini-2.5-flash:generateContent", body)
    assert reply.status == 200, reply.body
    return json.loads(reply.body)


@pytest.mark.model
@pytest.mark.slow
@pytest.mark.system
def test_four_lanes_reuse_nearly_all_that_can_be_reused(tmp_path: Path) -> None:
    for name in ("limit", "batch"):
        (tmp_path / name).mkdir()
    texts = [f"{passage(number)}\n{asked}" for number in range(PASSAGES) for asked in ASKED]
    random.Random(5).shuffle(texts)
    limit_tokens, limit_cached = limit_of(tmp_path / "limit", texts)
    with started_server(tmp_path / "batch", config=quick_model(OUTPUT_TOKENS, lanes=4)) as server:
        lines = [question(index, text, temperature=0) for index, text in enumerate(texts)]
        results = results_of(server, create_job(server, lines))
    assert [result["key"] for result in results] == [f"request-{i}" for i in range(len(texts))]
    usages = [usage_of(result["response"]) for result in results]
    cached = sum(cached for _, cached in usages)
    print(f"cached {cached} of {limit_cached} that can be, of {limit_tokens} tokens")
    assert sum(prompt for prompt, _ in usages) == limit_tokens
    assert cached >= SHARE_OF_LIMIT_MIN * limit_cached
