"""`batches/…:retry`: what failed or was not reached runs again, as a batch of its own."""

import json
from pathlib import Path

import httpx2 as httpx
from google import genai

from support.api.batch_calls import (
    asking,
    create_from_file,
    create_inline,
    finish,
    operation,
    result_lines,
    text_of,
    upload_lines,
)
from support.api.local_server import SLOW, LocalServer, OpenServer, echo_server, http_of
from toplu.job import ProjectId


def retry(http: httpx.Client, name: str, body: object = None) -> httpx.Response:
    return http.post(f"/v1beta/{name}:retry", json=body)


def test_failed_requests_of_an_inline_batch_run_again_inline(
    http: httpx.Client, client: genai.Client
) -> None:
    requests = [
        {"request": asking(text), "metadata": {"key": text}} for text in ("a", "please fail", "c")
    ]
    first = finish(http, create_inline(http, requests)["name"])
    made = retry(http, first["name"], {"displayName": "again"})
    assert made.status_code == 200, made.text
    second = finish(http, made.json()["name"])
    assert second["metadata"]["displayName"] == "again"
    assert second["metadata"]["toplu"]["retryOf"] == first["name"]
    (result,) = second["response"]["inlinedResponses"]["inlinedResponses"]
    assert result["metadata"] == {"key": "please fail"}
    assert result["error"]["code"] == 13
    linked = operation(http, first["name"])["metadata"]["toplu"]
    assert linked["retriedBy"] == second["name"]
    assert client.batches.get(name=second["name"]).state.name == "JOB_STATE_SUCCEEDED"


def test_what_a_cancelled_file_batch_did_not_reach_runs_after_a_restart(
    open_test_server: OpenServer, tmp_path: Path
) -> None:
    lines = [
        json.dumps({"key": f"k{index}", "request": asking(f"text {index}")}).encode()
        for index in range(10)
    ]
    with echo_server(tmp_path, models=(SLOW,)) as server, http_of(server) as http:
        name = create_from_file(http, upload_lines(http, lines)).json()["name"]
        reply = retry(http, name)
        assert (reply.status_code, reply.json()["error"]["status"]) == (400, "FAILED_PRECONDITION")
        http.post(f"/v1beta/{name}:cancel")
    with http_of(open_test_server()) as http:
        done = finish(http, retry(http, name).json()["name"])
        results = result_lines(http, done)
        assert [(line["key"], text_of(line["response"])) for line in results] == [
            (f"k{index}", f"text {index}") for index in range(10)
        ]
        assert "inputConfig" not in done["metadata"]
        again = retry(http, done["name"])
        assert again.status_code == 400
        assert "nothing to run again" in again.json()["error"]["message"]


def test_a_foreign_batch_looks_missing(server: LocalServer) -> None:
    keys = [
        server.call(server.server.keys.create(ProjectId(project), "")) for project in ("one", "two")
    ]
    with http_of(server, keys[0]) as owner, http_of(server, keys[1]) as other:
        name = create_inline(owner, [{"request": asking("please fail")}])["name"]
        finish(owner, name)
        foreign, missing = retry(other, name), retry(other, "batches/never-was")
        assert (foreign.status_code, foreign.json()) == (missing.status_code, missing.json())
        assert foreign.status_code == 404
        assert retry(owner, name).status_code == 200
