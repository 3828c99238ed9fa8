"""`batches/…:retry`: what failed or was not reached runs again, as a batch of its own."""

import json
from contextlib import closing
from pathlib import Path

import httpx2 as httpx
from google import genai
from msgspec.structs import replace

from support.api.batch_calls import (
    asking,
    create_from_file,
    create_inline,
    finish,
    operation,
    result_lines,
    text_of,
    upload_lines,
    wait_until_final,
)
from support.api.local_server import (
    ECHO,
    SLOW,
    LocalServer,
    OpenServer,
    client_of,
    echo_server,
    http_of,
)
from support.waiting import eventually
from toplu.job import ProjectId
from toplu.settings.model import EchoSettings


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


def test_a_cancelled_batch_is_completed_into_one_result(
    open_test_server: OpenServer, tmp_path: Path
) -> None:
    slow = replace(ECHO, lanes=1, echo=EchoSettings(word_seconds=0.05))
    texts = ["one", "please fail", "word " * 2000, "four"]
    lines = [
        json.dumps({"key": f"k{index}", "request": asking(text)}).encode()
        for index, text in enumerate(texts)
    ]
    with echo_server(tmp_path, models=(slow,)) as server, http_of(server) as http:
        name = create_from_file(http, upload_lines(http, lines)).json()["name"]
        eventually(lambda: b'"response"' in http.get(f"/v1beta/{name}:results").content)
        http.post(f"/v1beta/{name}:cancel")
        done = [json.loads(it) for it in http.get(f"/v1beta/{name}:results").content.splitlines()]
        kept = sum("response" in it for it in done)
        assert 0 < kept < 4
    server = open_test_server()
    with http_of(server) as http, closing(client_of(server)) as client:
        headers = {"Idempotency-Key": "complete-it"}
        made = http.post(f"/v1beta/{name}:retry", json={"merge": True}, headers=headers)
        assert made.status_code == 200, made.text
        again = http.post(f"/v1beta/{name}:retry", json={"merge": True}, headers=headers)
        assert (again.json()["name"], again.headers["idempotency-replayed"]) == (
            made.json()["name"],
            "true",
        )
        job = wait_until_final(client, made.json()["name"])
        assert job.state is not None
        assert job.state.name == "JOB_STATE_SUCCEEDED"
        assert job.dest is not None
        assert job.dest.file_name is not None
        downloaded = client.files.download(file=job.dest.file_name)
        results = [json.loads(it) for it in downloaded.splitlines()]
        assert [it["key"] for it in results] == ["k0", "k1", "k2", "k3"]
        answered = [text_of(it["response"]) for it in results if "response" in it]
        # The long one is cut at the limit of tokens.
        assert [text[:99] for text in answered] == ["one", ("word " * 20)[:99], "four"]
        operated = operation(http, job.name or "")["metadata"]
        assert operated["toplu"]["retryOf"] == name
        assert operated["toplu"]["carriedRequestCount"] == str(kept)
        assert operated["batchStats"]["successfulRequestCount"] == "3"
        receipt = http.get(f"/v1beta/{job.name}:receipt").json()
        assert (receipt["carriedRequestCount"], receipt["balances"]) == (str(kept), True)
        retried = operation(http, name)["metadata"]["toplu"]
        assert retried["retriedBy"] == job.name
