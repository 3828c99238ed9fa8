"""`validate_only`: what a batch would be, of all of its models, and no batch."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from msgspec.structs import replace

from support.api.local_server import ECHO, EMBEDDER, OpenServer
from support.api.openai_batches import (
    CHAT,
    EMBEDDINGS,
    a_line,
    chat_line,
    create,
    embedding_line,
    finish,
)
from support.api.openai_calls import openai_client, openai_http
from toplu.settings.model import PriceSettings

CHEAP = replace(ECHO, aliases=("cheap",), price=PriceSettings(input="1", output="0"))
DEAR = replace(CHEAP, name="dear", aliases=("d",), price=PriceSettings(input="10", output="0"))


@pytest.fixture
def http(open_test_server: OpenServer) -> Iterator[httpx.Client]:
    with openai_http(open_test_server(models=(CHEAP, DEAR, EMBEDDER))) as http:
        yield http


def asked(http: httpx.Client, lines: list[str], endpoint: str = CHAT) -> httpx.Response:
    file = {"file": ("input.jsonl", "\n".join(lines).encode())}
    kept = http.post("/files", files=file, data={"purpose": "batch"}).json()
    body = {"input_file_id": kept["id"], "endpoint": endpoint, "completion_window": "24h"}
    return http.post("/batches", params={"validate_only": "true"}, json=body)


def told(http: httpx.Client, lines: list[str], endpoint: str = CHAT) -> dict[str, Any]:
    reply = asked(http, lines, endpoint)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


def test_each_model_is_told_apart_and_all_are_summed_up(http: httpx.Client, tmp_path: Path) -> None:
    lines = [chat_line(f"c{n}", f"word {n}", model=("cheap", "d")[n % 2]) for n in range(20)]
    found = told(http, lines)
    assert found["object"] == "batch.validation"
    assert found["errors"] is None
    assert found["request_counts"] == {"total": 20, "faulty": 0, "duplicate": 0}
    cheap, dear = found["models"]
    assert (cheap["model"], cheap["answered_by"]) == ("cheap", "echo")
    assert (dear["model"], dear["answered_by"]) == ("d", "dear")
    assert cheap["input_tokens"]["exact"] is dear["input_tokens"]["exact"] is True
    prompts = [float(each["expected_cost"]["prompts"]) for each in (cheap, dear)]
    assert prompts[1] == pytest.approx(10 * prompts[0])
    assert float(found["expected_cost"]["prompts"]) == pytest.approx(sum(prompts))
    assert http.get("/batches").json()["data"] == []
    assert not [path for path in tmp_path.rglob("input.jsonl") if path.is_file()]


def test_faulty_lines_are_named_as_the_batch_would_answer_them(
    open_test_server: OpenServer,
) -> None:
    lines = [
        chat_line("fine", "x", model="cheap"),
        chat_line("long", "word " * 5000, model="d"),
        a_line("warm", CHAT, {"model": "cheap", "messages": [], "temperature": "hot"}),
        chat_line("kept", "x", model="d"),
    ]
    server = open_test_server(models=(CHEAP, DEAR))
    with openai_http(server) as http, openai_client(server) as sdk:
        found = told(http, lines)
        done = finish(sdk, create(sdk, lines))
        failed = http.get(f"/files/{done.error_file_id}/content").text.splitlines()
    first, second = found["faulty_lines"]
    assert found["request_counts"]["faulty"] == len(failed) == 2
    assert (first["line"], first["custom_id"], first["status_code"]) == (2, "long", 400)
    assert first["error"]["message"].startswith("the input token count")
    assert (second["line"], second["custom_id"], second["status_code"]) == (3, "warm", 400)
    assert second["error"]["param"] == "temperature"
    assert f'"message":"{second["error"]["message"]}"' in failed[1].replace("\\u0060", "`")


def test_a_file_that_would_fail_as_a_whole_is_told_with_its_faults(http: httpx.Client) -> None:
    found = told(
        http, [chat_line("a", "x", model="d"), "no JSON", chat_line("a", "y", model="nobody")]
    )
    assert [fault["line"] for fault in found["errors"]["data"]] == [2, 3, 3]
    assert (found["request_counts"]["total"], found["models"]) == (3, [])


def test_texts_to_embed_are_requests_each(http: httpx.Client) -> None:
    found = told(http, [embedding_line("e", ["one", "two", "one"])], EMBEDDINGS)
    assert found["request_counts"] == {"total": 3, "faulty": 0, "duplicate": 1}
    (model,) = found["models"]
    assert model["output_tokens"] == {"lowest": 0, "highest": 0}


def test_what_create_refuses_it_refuses_in_the_same_words(http: httpx.Client) -> None:
    body = {"input_file_id": "file-none", "endpoint": CHAT, "completion_window": "24h"}
    refused = http.post("/batches", json=body)
    told_so = http.post("/batches", params={"validate_only": "true"}, json=body)
    assert refused.status_code == 404
    assert (told_so.status_code, told_so.json()) == (404, refused.json())


def test_the_parameter_is_a_boolean(http: httpx.Client) -> None:
    reply = http.post("/batches", params={"validate_only": "maybe"}, json={})
    assert reply.status_code == 400
