"""Lines that wait for lines: chains, map and reduce, a judge after each answer; at both APIs."""

import json
from typing import Any

import httpx2 as httpx
import pytest
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
    wait_until_final,
)
from support.api.local_server import LocalServer


@pytest.fixture
def server(shared_server: LocalServer) -> LocalServer:
    return shared_server


def line(key: str, text: str, *after: str, **members: Any) -> dict[str, Any]:
    waits = {"after": list(after)} if after else {}
    return {"key": key} | waits | members | {"request": asking(text)}


def written(lines: list[dict[str, Any]]) -> list[bytes]:
    return [json.dumps(one).encode() for one in lines]


def run_file(http: httpx.Client, lines: list[dict[str, Any]]) -> tuple[dict[str, Any], list[Any]]:
    done = finish(http, create_from_file(http, upload_lines(http, written(lines))).json()["name"])
    return done, result_lines(http, done)


def test_a_file_of_chains_through_the_sdk(client: genai.Client, http: httpx.Client) -> None:
    lines = [
        line("judge", "${answer.json.city}, ${answer.json.sights.1}?", "answer"),
        line("answer", '{"city": "Rome", "sights": ["Forum", "Pantheon"]}'),
        line("sum", "${judge.text} | ${answer.finishReason} | $${x}", "judge", "answer"),
    ]
    file = upload_lines(http, written(lines))
    job = client.batches.create(model="gemini-2.5-flash", src=file)
    job = wait_until_final(client, job.name or "")
    assert job.state is not None
    assert job.state.name == "JOB_STATE_SUCCEEDED"
    assert job.dest is not None
    downloaded = client.files.download(file=job.dest.file_name or "")
    results = [json.loads(one) for one in downloaded.splitlines()]
    assert [(one["key"], text_of(one["response"])) for one in results] == [
        ("judge", "Rome, Pantheon?"),
        ("answer", '{"city": "Rome", "sights": ["Forum", "Pantheon"]}'),
        ("sum", "Rome, Pantheon? | STOP | ${x}"),
    ]
    receipt = http.get(f"/v1beta/{job.name}:receipt").json()
    assert (receipt["balances"], receipt["requestCount"]) == (True, "3")


def test_an_inline_batch_says_it_in_metadata(client: genai.Client) -> None:
    job = client.batches.create(
        model="gemini-2.5-flash",
        src=[
            {**asking("one"), "metadata": {"key": "a"}},
            {**asking("two"), "metadata": {"key": "b"}},
            {**asking("${a.text}+${b.text}"), "metadata": {"key": "c", "after": '["a", "b"]'}},
            {**asking("${c.text}!"), "metadata": {"after": "c"}},
        ],
    )
    job = wait_until_final(client, job.name or "")
    assert job.dest is not None
    texts = [one.response.text for one in job.dest.inlined_responses or () if one.response]
    assert texts == ["one", "two", "one+two", "one+two!"]


def test_what_waits_for_a_failed_line_fails_unless_it_is_to_run(http: httpx.Client) -> None:
    lines = [
        line("bad", "please fail"),
        line("stops", "${bad.text}", "bad"),
        line("goes on", "so: ${bad.text}", "bad", after_failed="run"),
        line("lost", "x", "nobody"),
    ]
    done, results = run_file(http, lines)
    assert [one["error"]["code"] if "error" in one else "answered" for one in results] == [
        13,
        9,
        "answered",
        3,
    ]
    stats = operation(http, done["name"])["metadata"]["batchStats"]
    assert (stats["failedRequestCount"], stats["requestCount"]) == ("3", "4")
    merged = http.post(f"/v1beta/{done['name']}:retry", json={"merge": True}).json()
    again = result_lines(http, finish(http, merged["name"]))
    assert [one["key"] for one in again] == ["bad", "stops", "goes on", "lost"]


def test_a_dry_run_names_lines_that_wait_for_what_there_is_not(http: httpx.Client) -> None:
    lines = [
        line("a", "a"),
        line("b", "${a.text}", "a"),
        line("lost", "x", "nobody"),
        line("round", "x", "round"),
        line("odd", "${a.words}", "a"),
    ]
    file = upload_lines(http, written(lines))
    body = {"batch": {"inputConfig": {"fileName": file}}}
    path = "/v1beta/models/gemini-2.5-flash:batchGenerateContent"
    reply = http.post(path, params={"validateOnly": "true"}, json=body)
    assert reply.status_code == 200, reply.text
    told = reply.json()
    assert (told["requestCount"], told["faultyRequestCount"]) == ("5", "3")
    faults = {fault["key"]: fault["error"]["message"] for fault in told["faultyLines"]}
    assert faults.keys() == {"lost", "round", "odd"}
    assert "nobody" in faults["lost"]
    assert "in a circle" in faults["round"]


def test_a_call_with_wrong_fields_has_errors_of_lines(http: httpx.Client) -> None:
    _, results = run_file(http, [line("a", "a"), line("b", "b", after={"a": 1})])
    assert results[1]["error"]["message"].startswith("Error on line 2: Invalid value at 'after'")


def test_results_so_far_have_the_lines_that_ran(http: httpx.Client) -> None:
    name = create_inline(
        http,
        [
            {"request": asking("${b.text}"), "metadata": {"key": "a", "after": ["b"]}},
            {"request": asking("b"), "metadata": {"key": "b"}},
        ],
    )["name"]
    finish(http, name)
    place, seen = "", []
    while True:
        reply = http.get(f"/v1beta/{name}:results", params={"after": place, "wait": "5"})
        seen += [json.loads(one)["line"] for one in reply.content.splitlines()]
        place = reply.headers["x-toplu-next"]
        if len(seen) >= 2:
            break
    assert sorted(seen) == [1, 2]
