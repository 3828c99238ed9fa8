"""Batches through OpenAI's SDK: their life, their files, and what is wrong with an input."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2 as httpx
import openai
import pytest
from msgspec.structs import replace
from openai.types import Batch
from openai.types.chat import ChatCompletion

from support.api.local_server import SLOW, LocalServer, OpenServer
from support.api.openai_batches import (
    EMBEDDINGS,
    a_line,
    chat_line,
    create,
    embedding_line,
    finish,
    lines_of,
    upload,
)
from support.api.openai_calls import CHAT_MODEL, openai_client, strictly, user
from support.clients import http_client, sdk_client
from support.fake_clock import FakeClock
from toplu.settings.server import DEFAULT_MODEL, Settings


def test_a_batch_answers_each_line_once_in_order_and_says_what_it_used(
    sdk: Any, http: httpx.Client
) -> None:
    batch = create(sdk, [chat_line(f"c{n}", f"word {n}") for n in range(20)], metadata={"a": "b"})
    assert batch.status in {"validating", "in_progress"}
    done = finish(sdk, batch)
    strictly(Batch, http.get(f"/batches/{batch.id}").json())
    assert (done.status, done.metadata, done.model) == ("completed", {"a": "b"}, CHAT_MODEL)
    counts = done.request_counts
    assert (counts.total, counts.completed, counts.failed) == (20, 20, 0)
    assert done.usage.total_tokens == 80
    assert done.created_at <= done.in_progress_at <= done.completed_at < done.expires_at
    assert done.error_file_id is None
    lines = lines_of(sdk, done.output_file_id)
    assert [line["custom_id"] for line in lines] == [f"c{n}" for n in range(20)]
    assert len({line["id"] for line in lines}) == 20
    for number, line in enumerate(lines):
        assert (line["error"], line["response"]["status_code"]) == (None, 200)
        answer = strictly(ChatCompletion, line["response"]["body"])
        assert answer.choices[0].message.content == f"word {number}"


def test_a_line_that_fails_has_its_error_where_a_response_would_be(sdk: Any) -> None:
    lines = [
        chat_line("fails", "please fail"),
        chat_line("hot", "x", temperature=9),
        chat_line("biased", "x", logit_bias={"1": 2}),
    ]
    done = finish(sdk, create(sdk, lines))
    assert (done.status, done.output_file_id) == ("completed", None)
    assert (done.request_counts.completed, done.request_counts.failed) == (0, 3)
    found = lines_of(sdk, done.error_file_id)
    assert [line["error"] for line in found] == [None] * 3
    errors = [line["response"]["body"]["error"] for line in found]
    assert [line["response"]["status_code"] for line in found] == [500, 400, 400]
    assert [error["param"] for error in errors] == [None, "temperature", "logit_bias"]
    assert errors[2]["code"] == "unsupported_parameter"


def test_texts_of_one_line_get_their_vectors_in_one_answer(sdk: Any) -> None:
    lines = [
        embedding_line("two", ["one", "two three"]),
        embedding_line("one", "one", encoding_format="base64"),
        embedding_line("none", []),
    ]
    done = finish(sdk, create(sdk, lines, EMBEDDINGS))
    assert (done.request_counts.total, done.request_counts.failed) == (3, 1)
    two, one = lines_of(sdk, done.output_file_id)
    assert [each["index"] for each in two["response"]["body"]["data"]] == [0, 1]
    assert isinstance(one["response"]["body"]["data"][0]["embedding"], str)
    (none,) = lines_of(sdk, done.error_file_id)
    assert none["custom_id"] == "none"


def test_lines_wait_for_lines_by_their_ids(sdk: Any) -> None:
    lines = [
        chat_line("judge", "${answer.text}?", after=["answer"]),
        chat_line("answer", "yes"),
        chat_line("lost", "x", after="nobody"),
    ]
    done = finish(sdk, create(sdk, lines))
    said = {
        line["custom_id"]: line["response"]["body"]["choices"][0]["message"]["content"]
        for line in lines_of(sdk, done.output_file_id)
    }
    assert said == {"judge": "yes?", "answer": "yes"}
    (lost,) = lines_of(sdk, done.error_file_id)
    assert lost["response"]["status_code"] == 400
    assert "nobody" in lost["response"]["body"]["error"]["message"]


@pytest.mark.parametrize(
    ("lines", "faults"),
    [
        ([], [("empty_file", None)]),
        (["{"], [("invalid_json_line", 1)]),
        ([chat_line("a", "x"), chat_line("a", "y")], [("duplicate_custom_id", 2)]),
        ([chat_line("a", "x"), embedding_line("b", "y")], [("mismatched_endpoint", 2)]),
        ([json.dumps({"method": "POST"})], [("invalid_request", 1)]),
        ([chat_line("a", "x").replace("POST", "GET")], [("invalid_method", 1)]),
        ([a_line("a", "/v1/chat/completions", {})], [("invalid_request", 1)]),
        ([chat_line("a", "x", model="nobody")], [("model_not_found", 1)]),
        ([chat_line("a", "x"), chat_line("b", "x", model="nobody")], [("model_not_found", 2)]),
    ],
)
def test_a_file_that_is_wrong_as_a_whole_fails_its_batch_with_the_lines(
    sdk: Any, lines: list[str], faults: list[tuple[str, int | None]]
) -> None:
    batch = create(sdk, lines or ["", " "])
    assert (batch.status, batch.output_file_id, batch.error_file_id) == ("failed", None, None)
    assert batch.failed_at is not None
    assert [(fault.code, fault.line) for fault in batch.errors.data] == faults


def test_faults_are_counted_out_at_a_hundred(sdk: Any) -> None:
    batch = create(sdk, ["{"] * 300)
    assert len(batch.errors.data) == 100


def test_a_batch_is_listed_at_its_own_door_page_by_page(open_test_server: OpenServer) -> None:
    server = open_test_server()
    with openai_client(server) as sdk:
        made = [finish(sdk, create(sdk, [chat_line("c", "x")])).id for _ in range(3)]
        first = sdk.batches.list(limit=2)
        assert [batch.id for batch in first.data] == made[:0:-1]
        assert first.has_more
        assert [batch.id for batch in sdk.batches.list(limit=2)] == made[::-1]
    google = sdk_client(server.url)
    assert list(google.batches.list()) == []


def test_a_cancelled_batch_has_what_is_done_and_names_the_rest(
    open_test_server: OpenServer,
) -> None:
    server = open_test_server(models=(SLOW,))
    with openai_client(server) as sdk:
        batch = create(sdk, [chat_line(f"c{n}", "x") for n in range(3)])
        cancelled = sdk.batches.cancel(batch.id)
        assert cancelled.status == "cancelled"
        assert cancelled.cancelled_at is not None
        assert cancelled.output_file_id is None
        found = lines_of(sdk, cancelled.error_file_id)
        assert [line["custom_id"] for line in found] == ["c0", "c1", "c2"]
        assert {line["error"]["code"] for line in found} == {"batch_cancelled"}
        assert {line["response"] for line in found} == {None}
        assert sdk.batches.cancel(batch.id).status == "cancelled"


def test_a_completed_batch_cannot_be_cancelled(sdk: Any) -> None:
    done = finish(sdk, create(sdk, [chat_line("c", "x")]))
    with pytest.raises(openai.ConflictError, match="status 'completed'"):
        sdk.batches.cancel(done.id)


def test_a_batch_that_expires_says_so_for_each_line_that_was_not_reached(
    open_test_server: OpenServer,
) -> None:
    clock = FakeClock()
    server = open_test_server(models=(SLOW,), clock=clock)
    with openai_client(server) as sdk:
        batch = create(sdk, [chat_line(f"c{n}", "x") for n in range(2)])
        clock.advance(timedelta(hours=24, minutes=1))
        server.call(server.server.pipeline.tidy())
        done = finish(sdk, batch)
        assert done.status == "expired"
        assert done.expired_at >= done.expires_at
        assert {line["error"]["code"] for line in lines_of(sdk, done.error_file_id)} == {
            "batch_expired"
        }


def test_a_batch_with_lines_of_several_texts_runs_again(
    sdk: Any, http: httpx.Client, server: LocalServer
) -> None:
    lines = [
        embedding_line("good", ["one", "two"]),
        embedding_line("bad", []),
    ]
    done = finish(sdk, create(sdk, lines, EMBEDDINGS))
    counts = done.request_counts
    assert (counts.total, counts.completed, counts.failed) == (2, 1, 1)
    retried = http.post(f"/batches/{done.id}/retry").json()
    assert retried["request_counts"]["total"] == 1
    again = finish(sdk, sdk.batches.retrieve(retried["id"]))
    assert [it["custom_id"] for it in lines_of(sdk, again.error_file_id)] == ["bad"]
    third = http.post(f"/batches/{again.id}/retry").json()
    assert third["request_counts"]["total"] == 1
    with http_client(server.url) as google:
        name = f"batches/{done.id.removeprefix('batch_')}"
        assert google.get(f"/v1beta/{name}").json()["done"] is True
        refused = google.post(f"/v1beta/{name}:retry")
        assert refused.json()["error"]["status"] == "FAILED_PRECONDITION"


def test_the_results_of_the_other_form_are_no_files_here(sdk: Any) -> None:
    done = finish(sdk, create(sdk, [chat_line("c", "x")]))
    assert not [file.id for file in sdk.files.list() if file.id.startswith("file-batch-")]
    with pytest.raises(openai.NotFoundError):
        sdk.files.retrieve(f"file-batch-{done.id.removeprefix('batch_')}")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"completion_window": "1h"}, "completion_window"),
        ({"endpoint": "/v1/moderations"}, "endpoint"),
        ({"input_file_id": "file-nobody"}, "input_file_id"),
        ({"input_file_id": None}, "input_file_id"),
        ({"metadata": {"k": "v" * 513}}, "metadata"),
        ({"metadata": {f"k{n}": "v" for n in range(17)}}, "metadata"),
        (
            {"output_expires_after": {"anchor": "created_at", "seconds": 5}},
            "output_expires_after.seconds",
        ),
    ],
)
def test_a_call_that_is_wrong_makes_no_batch(
    sdk: Any, http: httpx.Client, fields: dict[str, Any], param: str
) -> None:
    body = {
        "input_file_id": upload(sdk, [chat_line("c", "x")]),
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
    }
    before = len(http.get("/batches?limit=100").json()["data"])
    reply = http.post("/batches", json=body | fields)
    assert reply.status_code in {400, 404}
    assert reply.json()["error"]["param"] == param
    assert len(http.get("/batches?limit=100").json()["data"]) == before


def test_batches_of_other_projects_are_nobodys(open_test_server: OpenServer) -> None:
    server = open_test_server()
    keys = [server.call(server.server.keys.create(name, "test")) for name in ("one", "two")]
    with openai_client(server, key=keys[0]) as mine, openai_client(server, key=keys[1]) as other:
        done = finish(mine, create(mine, [chat_line("c", "x")]))
        with pytest.raises(openai.NotFoundError):
            other.batches.retrieve(done.id)
        with pytest.raises(openai.NotFoundError):
            other.files.content(done.output_file_id)
        assert other.batches.list().data == []


@pytest.mark.model
def test_a_real_model_answers_lines_as_it_answers_calls(tmp_path: Path) -> None:
    model = replace(DEFAULT_MODEL, lanes=1, threads=1)
    body = {"temperature": 0, "seed": 7, "max_tokens": 8}
    with (
        LocalServer(Settings(data_dir=tmp_path / "data", models=(model,))) as server,
        openai_client(server) as sdk,
    ):
        alone = sdk.chat.completions.create(
            model=CHAT_MODEL, messages=user("What is the capital of France?"), **body
        )
        lines = [chat_line("c", "What is the capital of France?", **body)]
        done = finish(sdk, create(sdk, lines))
        (line,) = lines_of(sdk, done.output_file_id)
    answer = ChatCompletion.model_validate(line["response"]["body"])
    assert answer.choices[0].message.content == alone.choices[0].message.content != ""
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == alone.usage.prompt_tokens
