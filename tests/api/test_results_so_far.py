"""`batches/…:results`: what is done can be read before the end, and after a bad one."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2 as httpx
import pytest

from support.api.batch_calls import (
    asking,
    create_from_file,
    create_inline,
    finish,
    operation,
    upload_lines,
)
from support.api.local_server import LocalServer, OpenServer, http_of
from support.waiting import eventually
from toplu.job import ProjectId
from toplu.settings.server import EchoSettings, ModelSettings

# Its one lane answers a word in no time, and is busy for minutes with what is long.
SLOW_READER = ModelSettings(
    name="slow",
    aliases=("gemini-*",),
    engine="echo",
    lanes=1,
    echo=EchoSettings(word_seconds=0.05, fail_pattern="please fail"),
)
LONG = "word " * 2000


def file_lines(*texts: str) -> list[bytes]:
    return [
        json.dumps({"key": f"k{index}", "request": asking(text)}).encode()
        for index, text in enumerate(texts)
    ]


def results_so_far(http: httpx.Client, name: str) -> tuple[httpx.Response, list[dict[str, Any]]]:
    reply = http.get(f"/v1beta/{name}:results")
    assert reply.status_code == 200, reply.text
    assert reply.headers["Content-Type"] == "application/jsonl"
    lines = [json.loads(line) for line in reply.content.splitlines()]
    assert reply.headers["X-Toplu-Result-Count"] == str(len(lines))
    return reply, lines


def ids(lines: list[dict[str, Any]]) -> list[tuple[int, str]]:
    return [(line["line"], line["key"]) for line in lines]


def half_done(http: httpx.Client) -> str:
    """Return a batch of which all is durable but the long request, its second."""
    lines = file_lines("one", LONG, "please fail", "four")
    name = create_from_file(http, upload_lines(http, lines)).json()["name"]

    def others_done() -> bool:
        return len(results_so_far(http, name)[1]) == 3

    eventually(others_done)
    return name


def test_results_are_read_while_the_batch_runs_and_after_it_is_cancelled(
    open_test_server: OpenServer,
) -> None:
    with http_of(open_test_server(models=(SLOW_READER,))) as http:
        name = half_done(http)
        assert operation(http, name)["metadata"]["state"] == "JOB_STATE_RUNNING"
        reply, running = results_so_far(http, name)
        assert reply.headers["X-Toplu-Complete"] == "false"
        assert ids(running) == [(1, "k0"), (3, "k2"), (4, "k3")]
        assert ["error" in line for line in running] == [False, True, False]
        http.post(f"/v1beta/{name}:cancel")
        assert results_so_far(http, name)[1] == running
        http.delete(f"/v1beta/{name}")
        assert http.get(f"/v1beta/{name}:results").status_code == 404


@pytest.mark.parametrize("form", ["inline", "file"])
def test_of_a_batch_that_succeeded_they_are_the_results(http: httpx.Client, form: str) -> None:
    texts = [f"text {index}" for index in range(20)]
    if form == "file":
        created = create_from_file(http, upload_lines(http, file_lines(*texts))).json()
    else:
        created = create_inline(http, [{"request": asking(text)} for text in texts])
    done = finish(http, created["name"])
    reply, lines = results_so_far(http, created["name"])
    assert reply.headers["X-Toplu-Complete"] == "true"
    assert [line.pop("line") for line in lines] == list(range(1, 21))
    if form == "inline":
        assert lines == done["response"]["inlinedResponses"]["inlinedResponses"]
    else:
        file_name = done["response"]["responsesFile"]
        content = http.get(f"/download/v1beta/{file_name}:download?alt=media").content
        assert lines == [json.loads(line) for line in content.splitlines()]


def test_the_results_of_another_project_look_missing(server: LocalServer) -> None:
    keys = [
        server.call(server.server.keys.create(ProjectId(project), "")) for project in ("one", "two")
    ]
    with http_of(server, keys[0]) as owner, http_of(server, keys[1]) as other:
        name = create_inline(owner, [{"request": asking("x")}])["name"]
        finish(owner, name)
        foreign = other.get(f"/v1beta/{name}:results")
        missing = other.get("/v1beta/batches/never-was:results")
        assert (foreign.status_code, foreign.json()) == (missing.status_code, missing.json())
        assert foreign.status_code == 404
        assert owner.get(f"/v1beta/{name}:results").status_code == 200


def test_results_come_to_the_client_that_waits(open_test_server: OpenServer) -> None:
    server = open_test_server(models=(SLOW_READER,))
    with http_of(server) as http:
        name = half_done(http)
        path = f"/v1beta/{name}:results"
        first = http.get(path, params={"wait": "60"})
        assert (first.headers["X-Toplu-Result-Count"], first.headers["X-Toplu-Ended"]) == (
            "3",
            "false",
        )
        assert {json.loads(line)["line"] for line in first.content.splitlines()} == {1, 3, 4}
        place = first.headers["X-Toplu-Next"]
        nothing = http.get(path, params={"after": place})
        assert (nothing.content, nothing.headers["X-Toplu-Next"]) == (b"", place)
        in_order = http.get(path, params={"order": "input"})
        assert [json.loads(line)["line"] for line in in_order.content.splitlines()] == [1]
        assert in_order.headers["X-Toplu-Next"] == "1"
        with ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(http.get, path, params={"after": place, "wait": "60"})
            http.post(f"/v1beta/{name}:cancel")
            ended = waiting.result()
        assert (ended.content, ended.headers["X-Toplu-Ended"]) == (b"", "true")
        for wrong in ({"after": "x"}, {"wait": "61"}, {"wait": "x"}, {"order": "none"}):
            assert http.get(path, params=wrong).status_code == 400
        assert http.get("/v1beta/batches/none:results?wait=1").status_code == 404


def test_results_come_as_events_until_the_end(open_test_server: OpenServer) -> None:
    server = open_test_server(models=(SLOW_READER,))
    with http_of(server) as http:
        name = half_done(http)
        headers = {"Accept": "text/event-stream"}
        events: list[str] = []
        with http.stream("GET", f"/v1beta/{name}:results", headers=headers) as stream:
            assert stream.headers["Content-Type"] == "text/event-stream"
            for line in stream.iter_lines():
                events += [line] if line.strip(":") else []
                if line.startswith("id: "):
                    http.post(f"/v1beta/{name}:cancel")
        numbers = [json.loads(it.removeprefix("data: ")).get("line") for it in events[:3]]
        assert set(numbers) == {1, 3, 4}
        assert events[-2:] == ["event: end", "data: {}"]
        place = next(it for it in events if it.startswith("id: ")).removeprefix("id: ")
        again = http.get(
            f"/v1beta/{name}:results", headers={**headers, "Last-Event-ID": place}
        ).text
        assert again.endswith("event: end\ndata: {}\n\n")
        assert '"line"' not in again
        missing = http.get("/v1beta/batches/none:results", headers=headers)
        assert missing.status_code == 404
