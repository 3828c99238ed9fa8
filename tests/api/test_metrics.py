"""`/metrics` of a server in one process: who may see it, and what it says of calls and batches."""

from pathlib import Path

import httpx2 as httpx
import pytest

from support.api.local_server import LocalServer, http_of
from support.figures import figure, samples
from support.waiting import eventually
from toplu.job import ProjectId
from toplu.settings.server import Settings
from toplu.wiring.admin import open_keys

ASKED = {"contents": [{"parts": [{"text": "one two three"}]}]}
GENERATE = "/v1beta/models/gemini-2.5-flash:generateContent"
STREAM = "/v1beta/models/gemini-2.5-flash:streamGenerateContent"
OPENAI = "/openai/v1/chat/completions"
BATCH = "/v1beta/models/gemini-2.5-flash:batchGenerateContent"


def read(http: httpx.Client) -> bytes:
    reply = http.get("/metrics")
    assert reply.status_code == 200, reply.text
    return reply.content


def wait_for(http: httpx.Client, name: str, more_than: float, **labels: str) -> bytes:
    """Return the figures as soon as one has grown."""

    def look() -> bytes | None:
        text = read(http)
        return text if figure(text, name, **labels) > more_than else None

    return eventually(look)


def test_it_is_open_as_long_as_any_key_is_and_then_to_operators(
    server: LocalServer, tmp_path: Path
) -> None:
    with http_of(server, None) as nobody:
        reply = nobody.get("/metrics")
        assert reply.status_code == 200
        assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"

        async def make_key(*, is_operator: bool) -> str:
            async with open_keys(Settings(data_dir=tmp_path / "data")) as keys:
                return await keys.create(ProjectId("team-a"), "x", is_operator=is_operator)

        key = server.call(make_key(is_operator=False))
        refused = eventually(lambda: (it := nobody.get("/metrics")).status_code == 403 and it)
        assert "metrics_port" in refused.json()["error"]["message"]
        with http_of(server, key) as somebody:
            assert somebody.get("/metrics").status_code == 403
        with http_of(server, server.call(make_key(is_operator=True))) as operator:
            assert operator.get("/metrics").status_code == 200


def test_a_page_of_others_does_not_see_it(server: LocalServer) -> None:
    with http_of(server, None) as http:
        assert http.get("/metrics", headers={"host": "evil.example"}).status_code == 403


@pytest.mark.parametrize(
    ("path", "body", "is_streamed"),
    [
        (GENERATE, ASKED, False),
        (STREAM, ASKED, True),
        (OPENAI, {"model": "echo", "messages": [{"role": "user", "content": "a b c"}]}, False),
    ],
)
def test_a_call_is_counted_where_it_is_answered(
    http: httpx.Client,
    path: str,
    body: dict[str, object],
    *,
    is_streamed: bool,
) -> None:
    route = f"POST {path}".replace("v1beta", "{version}")
    if path != OPENAI:
        route = route.replace("gemini-2.5-flash", "{model}")
    # By the order in which they are noted; the last one is waited for.
    grow_by = [
        ("toplu_requests_total", {"model": "echo", "kind": "call", "outcome": "succeeded"}, 1),
        ("toplu_call_seconds_count", {"model": "echo"}, 1),
        ("toplu_first_chunk_seconds_count", {"model": "echo"}, int(is_streamed)),
        ("toplu_tokens_total", {"model": "echo", "kind": "prompt"}, 3),
        ("toplu_tokens_total", {"model": "echo", "kind": "output"}, 3),
        ("toplu_project_tokens_total", {"project": "default"}, 6),
        ("toplu_http_requests_total", {"code": "200", "route": route}, 1),
        ("toplu_http_seconds_count", {"route": route}, 1),
    ]
    before = read(http)
    answered = http.post(path, json=body, headers={"authorization": "Bearer any"})
    assert answered.status_code == 200, answered.text
    last, labels, _ = grow_by[-1]
    after = wait_for(http, last, figure(before, last, **labels), **labels)
    for name, labels, more in grow_by:
        assert figure(after, name, **labels) == figure(before, name, **labels) + more, name


def test_refusals_have_their_codes_and_unknown_paths_one_name(
    http: httpx.Client,
) -> None:
    before = read(http)
    assert http.post(GENERATE, json={"contents": []}).status_code == 400
    assert http.get("/v1beta/nothing/is/here").status_code == 404
    for name, labels in (
        ("toplu_requests_total", {"model": "echo", "kind": "call", "outcome": "failed"}),
        ("toplu_http_requests_total", {"code": "400"}),
        ("toplu_http_requests_total", {"code": "404", "route": "none"}),
    ):
        had = figure(before, name, **labels)
        assert figure(wait_for(http, name, had, **labels), name, **labels) == had + 1


def test_a_batch_is_counted_when_its_results_are_durable(
    http: httpx.Client,
) -> None:
    texts = ["one two", "one two", "please fail"]
    requests = [
        {"request": {"contents": [{"parts": [{"text": text}]}], "generationConfig": {"seed": 1}}}
        for text in texts
    ]
    before = read(http)
    batch = {"displayName": "b", "inputConfig": {"requests": {"requests": requests}}}
    assert http.post(BATCH, json={"batch": batch}).status_code == 200
    of_batches = {"model": "echo", "kind": "batch"}
    total = figure(before, "toplu_requests_total", **of_batches)
    after = wait_for(http, "toplu_requests_total", total + 2, **of_batches)
    for outcome in ("succeeded", "copied", "failed"):
        labels = {**of_batches, "outcome": outcome}
        had = figure(before, "toplu_requests_total", **labels)
        assert figure(after, "toplu_requests_total", **labels) == had + 1
    commits = figure(before, "toplu_commit_seconds_count")
    assert figure(after, "toplu_commit_seconds_count") > commits


def test_engines_and_storage_are_shown(http: httpx.Client) -> None:
    text = read(http)
    assert figure(text, "toplu_lanes", model="echo") == 4
    assert figure(text, "toplu_lanes_busy", model="echo") == 0
    assert figure(text, "toplu_workers") == 1
    assert figure(text, "toplu_storage_bytes", kind="database") > 0
    assert samples(text, "toplu_engine_state", model="echo")
    assert {it.labels["process"] for it in samples(text, "toplu_lanes")} == {"server"}
