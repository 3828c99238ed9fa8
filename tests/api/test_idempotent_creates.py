"""`Idempotency-Key`: a create call that is sent again makes nothing twice, at both APIs."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx2 as httpx
import pytest

from support.api.batch_calls import asking, batch_of
from support.api.local_server import LocalServer, OpenServer, http_of
from support.api.openai_batches import CHAT, chat_line
from support.api.openai_calls import openai_http
from support.fake_clock import FakeClock

CREATE = "/v1beta/models/gemini-2.5-flash:batchGenerateContent"
KEYED = {"Idempotency-Key": "one"}
Make = Callable[[httpx.Client, str, dict[str, str]], httpx.Response]


def make_batch(http: httpx.Client, text: str, headers: dict[str, str]) -> httpx.Response:
    return http.post(CREATE, json=batch_of(asking(text)), headers=headers)


def make_raw_file(http: httpx.Client, text: str, headers: dict[str, str]) -> httpx.Response:
    headers |= {"X-Goog-Upload-Protocol": "raw", "Content-Type": "text/plain"}
    return http.post("/upload/v1beta/files", content=text, headers=headers)


def make_cache(http: httpx.Client, text: str, headers: dict[str, str]) -> httpx.Response:
    body = {"model": "models/gemini-2.5-flash", **asking(f"{text} " * 100)}
    return http.post("/v1beta/cachedContents", json=body, headers=headers)


def name_of(reply: httpx.Response) -> str:
    body = reply.json()
    return str(body.get("name") or body["file"]["name"])


@pytest.mark.parametrize("make", [make_batch, make_raw_file, make_cache])
def test_the_same_call_is_answered_with_what_it_made_and_another_is_a_conflict(
    http: httpx.Client, make: Make
) -> None:
    first = make(http, "x", dict(KEYED))
    assert first.status_code == 200, first.text
    again = make(http, "x", dict(KEYED))
    assert (again.status_code, name_of(again)) == (200, name_of(first))
    assert again.headers["idempotency-replayed"] == "true"
    other = make(http, "y", dict(KEYED))
    assert (other.status_code, other.json()["error"]["status"]) == (409, "ABORTED")
    unkeyed = make(http, "x", {})
    assert name_of(unkeyed) != name_of(first)
    assert name_of(make(http, "y", {"Idempotency-Key": "two"})) != name_of(first)


def test_both_calls_that_come_at_once_are_answered_with_one_batch(
    server: LocalServer, http: httpx.Client
) -> None:
    names: list[str] = []

    def call() -> None:
        with http_of(server) as own:
            names.append(name_of(make_batch(own, "x", dict(KEYED))))

    callers = [threading.Thread(target=call) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(names) == 8
    assert len(set(names)) == 1
    assert len(http.get("/v1beta/batches").json()["operations"]) == 1


def test_the_key_of_a_batch_that_was_deleted_makes_no_other(http: httpx.Client) -> None:
    first = make_batch(http, "x", dict(KEYED))
    http.delete(f"/v1beta/{name_of(first)}")
    assert make_batch(http, "x", dict(KEYED)).status_code == 404


def test_keys_of_other_projects_and_of_other_kinds_are_other_keys(
    open_test_server: OpenServer,
) -> None:
    server = open_test_server()
    keys = [server.call(server.server.keys.create(name, "test")) for name in ("one", "two")]
    with http_of(server, keys[0]) as mine, http_of(server, keys[1]) as other:
        first = make_batch(mine, "x", dict(KEYED))
        assert name_of(make_batch(other, "x", dict(KEYED))) != name_of(first)
        assert make_raw_file(mine, "x", dict(KEYED)).status_code == 200


def test_a_key_is_kept_for_48_hours(open_test_server: OpenServer) -> None:
    clock = FakeClock()
    server = open_test_server(clock=clock)
    with http_of(server) as http:
        first = make_batch(http, "x", dict(KEYED))
        clock.advance(timedelta(hours=47))
        assert name_of(make_batch(http, "x", dict(KEYED))) == name_of(first)
        clock.advance(timedelta(hours=2))
        assert name_of(make_batch(http, "y", dict(KEYED))) != name_of(first)


@pytest.mark.parametrize("key", ["", "k" * 256, "a b", "käse".encode()])
def test_a_key_that_is_none_is_refused(http: httpx.Client, key: Any) -> None:
    assert make_batch(http, "x", {"Idempotency-Key": key}).status_code == 400
    assert http.get("/v1beta/batches").json() == {}


def test_files_and_batches_of_openais_api_have_keys_too(server: LocalServer) -> None:
    def upload(text: str) -> httpx.Response:
        return http.post(
            "/files",
            files={"file": ("in.jsonl", chat_line("c", text).encode())},
            data={"purpose": "batch"},
            headers=KEYED,
        )

    def create(file: str, **fields: Any) -> httpx.Response:
        body = {"input_file_id": file, "endpoint": CHAT, "completion_window": "24h"}
        return http.post("/batches", json=body | fields, headers=KEYED)

    with openai_http(server) as http:
        file = upload("x").json()["id"]
        assert upload("x").json()["id"] == file
        assert upload("y").status_code == 409
        batch = create(file)
        assert create(file).json()["id"] == batch.json()["id"]
        conflict = create(file, metadata={"a": "b"})
        assert (conflict.status_code, conflict.json()["error"]["code"]) == (409, None)
        assert len(http.get("/batches").json()["data"]) == 1
