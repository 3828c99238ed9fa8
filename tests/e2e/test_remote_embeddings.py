"""A batch of embeddings on another server's llama.cpp, which is away when the batch begins."""

import math
from pathlib import Path
from typing import Any

import pytest

from support.engines.listening_llama_cpp import CONTEXT_TOKENS, KEY, listening_llama_cpp
from support.jobs import KEY as ANY_KEY
from support.jobs import (
    check_every_request_has_one_outcome,
    json_lines,
    operation_of,
    results_of,
    upload,
)
from support.model_tables import remote_model
from support.server import Server, started_server
from support.waiting import PATIENCE_SECONDS

pytestmark = [pytest.mark.model, pytest.mark.system]

REQUESTS = 60
TOO_LONG = 7
MODEL = "gemini-embedding-001"


def asking(index: int) -> dict[str, Any]:
    text = f"This is text {index}. " + "It goes on. " * (index % 5)
    if index == TOO_LONG:
        text = "word " * 2 * CONTEXT_TOKENS
    return {"key": f"request-{index}", "request": {"content": {"parts": [{"text": text}]}}}


def create(server: Server, lines: list[dict[str, Any]]) -> str:
    file_name = upload(server, json_lines(lines))
    path = f"/v1beta/models/{MODEL}:asyncBatchEmbedContent"
    reply = server.call(
        "POST", path, {"batch": {"inputConfig": {"fileName": file_name}}}, key=ANY_KEY
    )
    assert reply.status == 200, reply.body
    return str(reply.json()["name"])


def test_a_server_that_comes_back_late_costs_no_text_its_vector(tmp_path: Path) -> None:
    key_file = tmp_path / "key"
    key_file.write_text(KEY)
    changes = {"aliases": [MODEL], "kind": "embedding", "context_tokens": CONTEXT_TOKENS}
    with listening_llama_cpp("embeddings") as llama:
        config = remote_model(llama.url, key_file, changes, requests_max=4)
        with started_server(tmp_path, config=config, log_level="debug") as server:
            llama.kill()
            name = create(server, [asking(index) for index in range(REQUESTS)])
            server.wait_for_event("server_breaker", PATIENCE_SECONDS, state="OPEN")
            assert operation_of(server, name)["done"] is False
            llama.start()
            results = results_of(server, name)
            assert not any(KEY in line for line in server.log_lines)
    check_every_request_has_one_outcome(results, REQUESTS)
    assert [result["key"] for result in results] == [f"request-{i}" for i in range(REQUESTS)]
    too_long = results.pop(TOO_LONG)
    assert too_long["error"]["code"] == 3
    assert (
        f"exceeds the maximum number of tokens allowed ({CONTEXT_TOKENS})"
        in (too_long["error"]["message"])
    )
    for result in results:
        values = result["response"]["embedding"]["values"]
        assert len(values) == 384
        assert math.hypot(*values) == pytest.approx(1, abs=1e-6)
