"""Batches whose lines name several models: one batch, with a job for each engine."""

import itertools
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2 as httpx
import openai
import pytest
from msgspec.structs import replace
from openai.types import Batch

from support.api.local_server import ECHO, EMBEDDER, SLOW, OpenServer
from support.api.openai_batches import (
    EMBEDDINGS,
    chat_line,
    create,
    embedding_line,
    finish,
    lines_of,
)
from support.api.openai_calls import openai_client, openai_http, strictly
from support.clients import http_client
from support.fake_clock import FakeClock
from support.waiting import eventually
from toplu.settings.model import EchoSettings, PriceSettings

CHEAP = replace(ECHO, aliases=("cheap",), price=PriceSettings(input="1", output="0"))
DEAR = replace(CHEAP, name="dear", aliases=("d",), price=PriceSettings(input="10", output="0"))
STUCK = replace(SLOW, aliases=())
NAMES = ("cheap", "dear", "echo", "d")  # of two engines


def mixed(count: int, names: tuple[str, ...] = NAMES, **fields: Any) -> list[str]:
    names_of = itertools.cycle(names)
    return [chat_line(f"c{n}", f"word {n}", model=next(names_of), **fields) for n in range(count)]


def test_each_line_is_answered_by_its_model_in_the_order_of_the_file(
    open_test_server: OpenServer,
) -> None:
    server = open_test_server(models=(CHEAP, DEAR))
    with openai_client(server) as sdk, openai_http(server) as http:
        done = finish(sdk, create(sdk, mixed(3000), metadata={"a": "b"}))
        strictly(Batch, http.get(f"/batches/{done.id}").json())
        assert (done.status, done.metadata, done.error_file_id) == ("completed", {"a": "b"}, None)
        counts = done.request_counts
        assert (counts.total, counts.completed, counts.failed) == (3000, 3000, 0)
        assert done.model is None
        assert sorted(done.toplu["models"]) == ["cheap", "dear"]
        lines = lines_of(sdk, done.output_file_id)
        assert [line["custom_id"] for line in lines] == [f"c{n}" for n in range(3000)]
        assert len({line["id"] for line in lines}) == 3000
        bodies = [line["response"]["body"] for line in lines]
        assert [body["model"] for body in bodies] == [NAMES[n % 4] for n in range(3000)]
        assert [body["choices"][0]["message"]["content"] for body in bodies] == [
            f"word {n}" for n in range(3000)
        ]
        assert done.usage.total_tokens == sum(body["usage"]["total_tokens"] for body in bodies)
        so_far = http.get(f"/batches/{done.id}/results")
        assert so_far.headers["x-toplu-result-count"] == "3000"
        assert so_far.headers["x-toplu-complete"] == "true"
        assert [json.loads(line) for line in so_far.text.splitlines()] == lines


def test_it_is_one_batch_in_lists_and_costs_what_each_model_costs(
    open_test_server: OpenServer,
) -> None:
    server = open_test_server(models=(CHEAP, DEAR))
    with openai_client(server) as sdk, openai_http(server) as http:
        done = finish(sdk, create(sdk, mixed(4)))
        assert [batch.id for batch in sdk.batches.list()] == [done.id]
        receipt = http.get(f"/batches/{done.id}/receipt").json()
        assert receipt["balances"] is True
        assert receipt["outcomes"]["succeeded"] == "4"
        tokens = [int(part["usage"]["promptTokenCount"]) for part in receipt["parts"]]
        assert [part["answeredBy"] for part in receipt["parts"]] == ["echo", "dear"]
        assert sum(tokens) == int(receipt["usage"]["promptTokenCount"]) == done.usage.input_tokens
        # Half of 1 and half of 10 for a million tokens.
        cost = (tokens[0] * 0.5 + tokens[1] * 5) / 1e6
        assert float(receipt["cost"]["amount"]) == pytest.approx(cost)
        assert done.toplu["cost"] == receipt["cost"]


def test_equal_lines_run_once_for_each_model(open_test_server: OpenServer) -> None:
    server = open_test_server(models=(CHEAP, DEAR))
    with openai_client(server) as sdk:
        lines = [
            chat_line(f"c{n}", "the same", model=NAMES[n % 4], temperature=0) for n in range(8)
        ]
        assert finish(sdk, create(sdk, lines)).toplu["deduplicated"] == 6


def test_names_of_one_engine_are_one_job(open_test_server: OpenServer) -> None:
    server = open_test_server(models=(CHEAP,))
    with openai_client(server) as sdk:
        done = finish(sdk, create(sdk, mixed(4, ("cheap", "echo"))))
        assert done.model == "cheap"
        assert "models" not in done.toplu
        models = [line["response"]["body"]["model"] for line in lines_of(sdk, done.output_file_id)]
        assert models == ["cheap", "echo"] * 2


def test_a_model_that_nobody_serves_fails_the_batch_with_its_lines(sdk: Any) -> None:
    unknown = [chat_line(name, "x", model="nobody") for name in ("a", "b")]
    batch = create(sdk, [*mixed(1, ("echo",)), *unknown])
    assert batch.status == "failed"
    found = [(it.code, it.line, it.param) for it in batch.errors.data]
    assert found == [("model_not_found", line, "body.model") for line in (2, 3)]


def retry_of(http: httpx.Client, batch: str) -> httpx.Response:
    return http.post(f"/batches/{batch}/retry")


def half_stuck(sdk: Any, clock: FakeClock | None = None) -> Any:
    """Return a batch of which one model has answered its lines, and the other one never will."""
    batch = create(sdk, mixed(6, ("slow", "echo")))

    def has_half() -> bool:
        if clock is not None:
            clock.advance(timedelta(seconds=1))
        return bool(sdk.batches.retrieve(batch.id).request_counts.completed == 3)

    eventually(has_half)
    return sdk.batches.retrieve(batch.id)


def test_results_so_far_and_a_cancel_take_all_models_together(
    open_test_server: OpenServer,
) -> None:
    server = open_test_server(models=(CHEAP, STUCK))
    with openai_client(server) as sdk, openai_http(server) as http:
        batch = half_stuck(sdk)
        assert (batch.status, batch.output_file_id) == ("in_progress", None)
        so_far = http.get(f"/batches/{batch.id}/results")
        assert so_far.headers["x-toplu-complete"] == "false"
        done = [json.loads(line)["custom_id"] for line in so_far.text.splitlines()]
        assert done == ["c1", "c3", "c5"]
        cancelled = sdk.batches.cancel(batch.id)
        assert cancelled.status == sdk.batches.cancel(batch.id).status == "cancelled"
        output = [it["custom_id"] for it in lines_of(sdk, cancelled.output_file_id)]
        errors = lines_of(sdk, cancelled.error_file_id)
        assert output == done
        assert [it["custom_id"] for it in errors] == ["c0", "c2", "c4"]
        assert {it["error"]["code"] for it in errors} == {"batch_cancelled"}
        receipt = http.get(f"/batches/{batch.id}/receipt").json()
        assert receipt["balances"] is True
        assert receipt["outcomes"]["notReached"] == "3"


def test_one_that_expires_keeps_what_other_models_have_done(open_test_server: OpenServer) -> None:
    clock = FakeClock()
    server = open_test_server(models=(CHEAP, STUCK), clock=clock)
    with openai_client(server) as sdk, openai_http(server) as http:
        batch = half_stuck(sdk, clock)
        for call in (http.get(f"/batches/{batch.id}/receipt"), retry_of(http, batch.id)):
            assert (call.status_code, "RUNNING" in call.text) == (400, True)
            assert batch.id.removeprefix("batch_") in call.text
        clock.advance(timedelta(hours=24, minutes=1))
        server.call(server.server.pipeline.tidy())
        expired = finish(sdk, batch)
        assert expired.status == "expired"
        assert expired.id.removeprefix("batch_") in expired.toplu["error"]
        assert len(lines_of(sdk, expired.output_file_id)) == 3
        codes = {line["error"]["code"] for line in lines_of(sdk, expired.error_file_id)}
        assert codes == {"batch_expired"}


def test_a_retry_runs_what_each_model_left(open_test_server: OpenServer) -> None:
    server = open_test_server(models=(CHEAP, DEAR))
    with openai_client(server) as sdk, openai_http(server) as http:
        lines = [
            chat_line(f"c{n}", "please fail" if n % 3 else "fine", model=NAMES[n % 4])
            for n in range(12)
        ]
        done = finish(sdk, create(sdk, lines))
        assert (done.request_counts.completed, done.request_counts.failed) == (4, 8)
        retried = retry_of(http, done.id).json()
        assert retried["toplu"]["retry_of"] == done.id
        assert retried["request_counts"]["total"] == 8
        again = finish(sdk, sdk.batches.retrieve(retried["id"]))
        failed = [line["custom_id"] for line in lines_of(sdk, again.error_file_id)]
        assert failed == [f"c{n}" for n in range(12) if n % 3]
        assert http.post(f"/batches/{done.id}/retry").status_code == 400


def test_a_retry_that_merges_has_the_lines_of_every_model(open_test_server: OpenServer) -> None:
    server = open_test_server(models=(CHEAP, DEAR))
    with openai_client(server) as sdk, openai_http(server) as http:
        # One of the two models has nothing left to run.
        failing = {n for n in range(8) if n % 4 == 1}
        lines = [
            chat_line(f"c{n}", "please fail" if n in failing else "fine", model=NAMES[n % 4])
            for n in range(8)
        ]
        done = finish(sdk, create(sdk, lines))
        made = http.post(f"/batches/{done.id}/retry", json={"merge": True})
        assert made.status_code == 200, made.text
        again = finish(sdk, sdk.batches.retrieve(made.json()["id"]))
        counts = again.request_counts
        assert (counts.total, counts.completed, counts.failed) == (8, 6, 2)
        assert again.toplu["carried"] == 6
        answered = [line["custom_id"] for line in lines_of(sdk, again.output_file_id)]
        assert answered == [f"c{n}" for n in range(8) if n not in failing]
        failed = [line["custom_id"] for line in lines_of(sdk, again.error_file_id)]
        assert failed == [f"c{n}" for n in sorted(failing)]
        receipt = http.get(f"/batches/{again.id}/receipt").json()
        assert (receipt["carriedRequestCount"], receipt["balances"]) == ("6", True)


@pytest.mark.in_folder
def test_a_deleted_one_is_gone_with_all_of_its_jobs(
    open_test_server: OpenServer, tmp_path: Path
) -> None:
    server = open_test_server(models=(CHEAP, DEAR))
    with openai_client(server) as sdk, http_client(server.url) as google:
        done = finish(sdk, create(sdk, mixed(4)))
        kept = list((tmp_path / "data" / "blobs" / "jobs").iterdir())
        assert len(kept) == 2
        name = done.id.removeprefix("batch_")
        assert google.delete(f"/v1beta/batches/{name}").status_code == 200
        server.call(server.server.pipeline.tidy())
        with pytest.raises(openai.NotFoundError):
            sdk.batches.retrieve(done.id)
        with pytest.raises(openai.NotFoundError):
            sdk.files.content(done.output_file_id)
        assert [path for path in kept if path.exists()] == []


def test_its_jobs_count_as_one_unfinished_batch(open_test_server: OpenServer) -> None:
    server = open_test_server(
        models=(STUCK, replace(STUCK, name="slow2")), concurrent_batches_max=2
    )
    with openai_client(server) as sdk:
        for _ in range(2):
            create(sdk, mixed(4, ("slow", "slow2")))
        with pytest.raises(openai.RateLimitError):
            create(sdk, mixed(4, ("slow", "slow2")))


def test_vectors_of_two_models_come_in_the_order_of_the_file(open_test_server: OpenServer) -> None:
    echo = EchoSettings(fail_pattern="please fail")
    other = replace(EMBEDDER, name="other", aliases=(), dimensions=4, echo=echo)
    server = open_test_server(models=(EMBEDDER, other))
    with openai_client(server) as sdk, openai_http(server) as http:
        lines = [
            embedding_line("a", ["one", "two"]),
            embedding_line("b", ["three", "four", "five"], model="other"),
            embedding_line("c", []),
            embedding_line("d", "six", model="other"),
            embedding_line("e", ["seven", "please fail"], model="other"),
        ]
        done = finish(sdk, create(sdk, lines, EMBEDDINGS))
        counts = done.request_counts
        assert (counts.total, counts.completed, counts.failed) == (5, 3, 2)
        found = lines_of(sdk, done.output_file_id)
        assert [line["custom_id"] for line in found] == ["a", "b", "d"]
        sizes = [
            [len(each["embedding"]) for each in line["response"]["body"]["data"]] for line in found
        ]
        assert sizes == [[8, 8], [4, 4, 4], [4]]
        retried = http.post(f"/batches/{done.id}/retry").json()
        assert retried["request_counts"]["total"] == 2
        again = finish(sdk, sdk.batches.retrieve(retried["id"]))
        errors = lines_of(sdk, again.error_file_id)
        assert [line["custom_id"] for line in errors] == ["c", "e"]
        assert again.usage.total_tokens == 1  # "seven" runs again with what failed beside it
