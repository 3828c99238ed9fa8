"""Leader first on another server's llama.cpp: every line is answered, and in its order."""

import itertools
import random
from pathlib import Path

import pytest

from support.engines.listening_llama_cpp import CONTEXT_TOKENS, KEY, listening_llama_cpp
from support.jobs import (
    check_every_request_has_one_outcome,
    create_job,
    question,
    results_of,
    text_of,
)
from support.model_tables import remote_model
from support.server import started_server

pytestmark = [pytest.mark.model, pytest.mark.system]

PLACES = ("harbour", "mill", "school", "market")
ASKED = ("Who owns it?", "Where is it?", "How old is it?", "What is it made of?", "Is it open?")


def passage(place: str) -> str:
    return " ".join(
        f"The {place} has a keeper with {keys} keys, who opens door {keys * 7 % 31} every morning."
        for keys in range(2, 10)
    )


@pytest.mark.parametrize("modes", [(), ("unified",)], ids=["a cache for each lane", "unified"])
def test_lines_that_share_their_beginning_are_answered_in_order(
    tmp_path: Path, modes: tuple[str, ...]
) -> None:
    key_file = tmp_path / "key"
    key_file.write_text(KEY)
    texts = [f"{passage(place)}\n{asked}" for place, asked in itertools.product(PLACES, ASKED)]
    random.Random(3).shuffle(texts)
    with listening_llama_cpp(*modes) as llama:
        changes = {"shared_cache": True, "context_tokens": CONTEXT_TOKENS, "output_tokens_max": 4}
        config = remote_model(llama.url, key_file, changes)
        with started_server(tmp_path, config=config) as server:
            lines = [question(index, text, temperature=0) for index, text in enumerate(texts)]
            results = results_of(server, create_job(server, lines))
    check_every_request_has_one_outcome(results, len(texts))
    assert [result["key"] for result in results] == [f"request-{i}" for i in range(len(texts))]
    assert all(text_of(result).strip() for result in results)
    cached = [r["response"]["usageMetadata"].get("cachedContentTokenCount", 0) for r in results]
    assert sum(tokens > 100 for tokens in cached) >= len(PLACES), "followers reuse what was read"
