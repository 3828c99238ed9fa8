"""Batches that share answers: a line that one of the project was given before runs no more."""

import json
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import httpx2 as httpx
import msgspec
import pytest
from google.genai import types

from support.api.batch_calls import (
    asking,
    finish,
    result_lines,
    text_of,
    upload_lines,
    wait_until_final,
)
from support.api.local_server import ECHO, LocalServer, OpenServer, client_of, http_of
from support.api.openai_batches import chat_line, create
from support.api.openai_batches import finish as finish_openai
from support.api.openai_calls import openai_client, openai_http
from toplu.job import ProjectId
from toplu.settings.server import PriceSettings

REUSE = {"X-Toplu-Reuse": "project"}
CREATE = "/v1beta/models/gemini-2.5-flash:batchGenerateContent"
PRICED = msgspec.structs.replace(ECHO, price=PriceSettings(input="1", output="2"))


def line(text: str, **config: Any) -> bytes:
    request = asking(text) | {"generationConfig": {"temperature": 0} | config}
    return json.dumps({"key": text, "request": request}).encode()


def lines(first: int, after: int) -> list[bytes]:
    return [line(f"question {number}") for number in range(first, after)]


def run(
    http: httpx.Client, asked: Sequence[bytes], headers: dict[str, str] | None = None
) -> dict[str, Any]:
    """Return the operation of a batch of these lines that has ended."""
    body = {"batch": {"inputConfig": {"fileName": upload_lines(http, asked)}}}
    reply = http.post(CREATE, json=body, headers=REUSE if headers is None else headers)
    assert reply.status_code == 200, reply.text
    return finish(http, reply.json()["name"])


def reused(done: dict[str, Any]) -> int:
    return int(done["metadata"]["toplu"].get("reusedRequestCount", "0"))


def receipt(http: httpx.Client, done: dict[str, Any]) -> dict[str, Any]:
    written = http.get(f"/v1beta/{done['name']}:receipt").json()
    assert written["balances"] is True
    return dict(written)


@pytest.fixture
def server(open_test_server: OpenServer) -> LocalServer:
    return open_test_server(models=(PRICED,), reuse_price="0.5")


def test_a_rerun_with_new_lines_runs_these_alone(server: LocalServer, http: httpx.Client) -> None:
    first = run(http, lines(0, 95))
    again = run(http, [*lines(95, 100), *lines(0, 95)])
    assert (reused(first), reused(again)) == (0, 95)
    results = result_lines(http, again)
    assert [text_of(it["response"]) for it in results] == [it["key"] for it in results]
    ids = {it["response"]["responseId"] for it in (*results, *result_lines(http, first))}
    assert len(ids) == 195
    of_first, of_again = receipt(http, first), receipt(http, again)
    tokens = {
        name: int(of_first["usage"][name]) for name in ("promptTokenCount", "outputTokenCount")
    }
    assert of_again["reusedRequestCount"] == "95"
    assert of_again["reusedTokenCount"] == str(sum(tokens.values()))
    assert of_again["outcomes"]["succeeded"] == "100"
    # Five lines as they are priced in a batch, and what the others had used for half a unit.
    used = of_again["usage"]
    run_cost = int(used["promptTokenCount"]) + 2 * int(used["outputTokenCount"])
    cost = (run_cost + sum(tokens.values())) / 2 / 1_000_000
    assert float(of_again["cost"]["amount"]) == pytest.approx(cost)
    (total,) = server.call(server.server.ledger.totals())
    assert (total.usage.reused_requests, total.requests) == (95, 195)


def test_nothing_is_reused_unless_both_batches_say_so(http: httpx.Client) -> None:
    run(http, lines(0, 3), headers={})
    assert reused(run(http, lines(0, 3))) == 0
    assert reused(run(http, lines(0, 3), headers={})) == 0
    assert reused(run(http, lines(0, 3))) == 3
    refused = http.post(CREATE, json={"batch": {}}, headers={"X-Toplu-Reuse": "always"})
    assert refused.status_code == 400
    assert "X-Toplu-Reuse must be one of" in refused.json()["error"]["message"]


def test_the_settings_may_say_so_for_all(open_test_server: OpenServer) -> None:
    with http_of(open_test_server(reuse="project")) as http:
        run(http, lines(0, 3), headers={})
        assert reused(run(http, lines(0, 3), headers={"X-Toplu-Reuse": "never"})) == 0
        assert reused(run(http, lines(0, 3), headers={})) == 3


def test_what_another_answer_would_be_right_for_too_runs(http: httpx.Client) -> None:
    asked = [
        line("warm", temperature=1),
        line("seeded", temperature=1, seed=5),
        line("please fail"),
        b"no line",
    ]
    run(http, asked)
    again = run(http, asked)
    assert reused(again) == 1
    assert ["error" in it for it in result_lines(http, again)] == [False, False, True, True]


def test_copies_of_a_reused_answer_are_copies(http: httpx.Client) -> None:
    run(http, [line("same")])
    again = run(http, [line("same")] * 3)
    assert reused(again) == 1
    assert again["metadata"]["toplu"]["deduplicatedRequestCount"] == "2"
    assert receipt(http, again)["usage"]["outputTokenCount"] == "0"


def test_an_answer_of_another_project_is_nobodys(server: LocalServer) -> None:
    one, two = (
        server.call(server.server.keys.create(ProjectId(name), "test")) for name in ("a", "b")
    )
    with http_of(server, key=one) as http, http_of(server, key=two) as other:
        run(http, lines(0, 3))
        assert reused(run(other, lines(0, 3))) == 0
        assert reused(run(other, lines(0, 3))) == 3


def test_what_is_deleted_is_reused_no_more(http: httpx.Client) -> None:
    first = run(http, lines(0, 3))
    copy = run(http, lines(0, 3))
    assert reused(copy) == 3
    assert http.delete(f"/v1beta/{first['name']}").status_code == 200
    # The copy lends nothing: it had its answers of the batch that is gone.
    second = run(http, lines(0, 3))
    assert reused(second) == 0
    assert reused(run(http, lines(0, 3))) == 3
    file = second["response"]["responsesFile"]
    assert http.delete(f"/v1beta/{file}").status_code == 200
    assert reused(run(http, lines(0, 3))) == 0


def test_a_retry_reuses_as_the_batch_did(http: httpx.Client) -> None:
    failing = run(http, [line("please fail"), line("fine")])
    retry = http.post(f"/v1beta/{failing['name']}:retry").json()["name"]
    assert reused(finish(http, retry)) == 0  # an error is no answer
    merged = run(http, [line("please fail"), line("fine")])
    assert reused(merged) == 1
    whole = http.post(f"/v1beta/{merged['name']}:retry", json={"merge": True}).json()["name"]
    done = finish(http, whole)
    assert done["metadata"]["toplu"]["carriedRequestCount"] == "1"
    assert receipt(http, done)["reusedRequestCount"] == "0"


def test_the_sdk_asks_for_it_by_a_header(server: LocalServer) -> None:
    options = types.HttpOptions(headers=REUSE)
    with closing(client_of(server)) as client, http_of(server) as http:
        for expected in (0, 2):
            job = client.batches.create(
                model="gemini-2.5-flash",
                src=[
                    types.InlinedRequest(
                        contents=text, config=types.GenerateContentConfig(temperature=0)
                    )
                    for text in ("one", "two")
                ],
                config=types.CreateBatchJobConfig(http_options=options),
            )
            assert job.name is not None
            ended = wait_until_final(client, job.name)
            assert ended.dest is not None
            texts = [it.response.text for it in ended.dest.inlined_responses or [] if it.response]
            assert texts == ["one", "two"]
            assert reused(finish(http, job.name)) == expected


def test_the_other_api_reuses_as_well(server: LocalServer) -> None:
    with openai_client(server) as sdk, openai_http(server) as http:
        asked = [chat_line(f"c{number}", f"text {number}", temperature=0) for number in range(4)]
        for expected in (None, 4):
            batch = create(sdk, asked, extra_headers=REUSE)
            assert finish_openai(sdk, batch).request_counts.completed == 4
            extension = http.get(f"/batches/{batch.id}").json()["toplu"]
            assert extension.get("reused") == expected
            written = http.get(f"/batches/{batch.id}/receipt").json()
            assert (written["balances"], written["reusedRequestCount"]) == (
                True,
                str(expected or 0),
            )
