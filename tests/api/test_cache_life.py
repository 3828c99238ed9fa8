"""Caches through HTTP and Google's SDK: made, found, listed, kept longer, deleted, expired."""

import contextlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from google import genai
from google.genai import errors, types

from support.api.cache_calls import FLASH, MISSING, TEXT, WORDS, a_cache, asking_with, create_cache
from support.api.local_server import LocalServer, OpenServer, client_of, echo_server, http_of
from support.api.upload_calls import upload_raw
from support.fake_clock import NOON, FakeClock
from toplu.job import ProjectId

CACHES = "/v1beta/cachedContents"
GENERATE = "/v1beta/models/gemini-2.5-flash:generateContent"
HOUR = timedelta(hours=1)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def server(open_test_server: OpenServer, clock: FakeClock) -> LocalServer:
    return open_test_server(clock=clock)


@pytest.fixture
def client(server: LocalServer) -> Iterator[genai.Client]:
    with contextlib.closing(client_of(server)) as client:
        yield client


def error_of(reply: httpx.Response) -> dict[str, Any]:
    error: dict[str, Any] = reply.json()["error"]
    assert reply.status_code == error["code"]
    return error


def test_a_cache_is_returned_as_the_hosted_service_returns_it(http: httpx.Client) -> None:
    created = create_cache(http)
    assert re.fullmatch(r"cachedContents/[a-z0-9]{40}", created["name"])
    assert created == {
        "name": created["name"],
        "model": FLASH,
        "displayName": "",
        "createTime": "2026-11-22T12:00:00.000000Z",
        "updateTime": "2026-11-22T12:00:00.000000Z",
        "expireTime": "2026-11-22T13:00:00.000000Z",
        "usageMetadata": {"totalTokenCount": WORDS},
    }
    assert http.get(f"/v1beta/{created['name']}").json() == created
    assert http.get(CACHES).json() == {"cachedContents": [created]}


def test_the_sdk_makes_finds_lists_changes_and_deletes(client: genai.Client) -> None:
    config = types.CreateCachedContentConfig(
        contents=TEXT, system_instruction="Be brief.", display_name="rules", ttl="7200s"
    )
    cache = client.caches.create(model="gemini-2.5-flash", config=config)
    assert cache.name is not None
    assert (cache.display_name, cache.model) == ("rules", FLASH)
    assert cache.expire_time == NOON + 2 * HOUR
    assert cache.usage_metadata is not None
    assert cache.usage_metadata.total_token_count == WORDS + 2
    assert client.caches.get(name=cache.name) == cache
    assert client.caches.get(name=cache.name.removeprefix("cachedContents/")) == cache
    assert list(client.caches.list()) == [cache]
    longer = client.caches.update(name=cache.name, config={"ttl": "10800s"})
    assert longer.expire_time == NOON + 3 * HOUR
    moment = datetime(2026, 12, 1, tzinfo=UTC)
    until = client.caches.update(name=cache.name, config={"expire_time": moment.isoformat()})
    assert until.expire_time == moment
    client.caches.delete(name=cache.name)
    with pytest.raises(errors.ClientError) as caught:
        client.caches.get(name=cache.name)
    assert (caught.value.code, caught.value.status) == (403, "PERMISSION_DENIED")
    assert list(client.caches.list()) == []


def test_caches_are_listed_newest_first_in_pages(
    http: httpx.Client, client: genai.Client, clock: FakeClock
) -> None:
    assert http.get(CACHES).json() == {}
    names = []
    for number in range(3):
        names.append(create_cache(http, displayName=f"number {number}")["name"])
        clock.advance(timedelta(seconds=1))
    page = http.get(CACHES, params={"pageSize": 2}).json()
    assert [cache["name"] for cache in page["cachedContents"]] == names[:0:-1]
    listed = list(client.caches.list(config={"page_size": 2}))
    assert [cache.name for cache in listed] == names[::-1]


def test_a_cache_expires_and_is_gone_for_every_call(
    server: LocalServer, http: httpx.Client, clock: FakeClock
) -> None:
    name = create_cache(http, ttl="60.5s")["name"]
    clock.advance(timedelta(seconds=60))
    assert http.post(GENERATE, json=asking_with(name)).status_code == 200
    clock.advance(timedelta(seconds=0.5))
    assert error_of(http.get(f"/v1beta/{name}")) == MISSING
    assert error_of(http.patch(f"/v1beta/{name}", json={"ttl": "60s"})) == MISSING
    assert error_of(http.delete(f"/v1beta/{name}")) == MISSING
    assert error_of(http.post(GENERATE, json=asking_with(name))) == MISSING
    assert http.get(CACHES).json() == {}
    server.call(server.server.pipeline.tidy())
    assert error_of(http.get(f"/v1beta/{name}")) == MISSING


def test_a_cache_that_is_kept_longer_lives_longer(
    server: LocalServer, http: httpx.Client, clock: FakeClock
) -> None:
    created = create_cache(http)
    clock.advance(HOUR / 2)
    changed = http.patch(f"/v1beta/{created['name']}?updateMask=ttl", json={"ttl": "3600s"}).json()
    assert changed == created | {
        "updateTime": "2026-11-22T12:30:00.000000Z",
        "expireTime": "2026-11-22T13:30:00.000000Z",
    }
    clock.advance(HOUR * 0.9)
    server.call(server.server.pipeline.tidy())
    assert http.get(f"/v1beta/{created['name']}").json() == changed


def test_a_cache_outlives_the_server(tmp_path: Path) -> None:
    with echo_server(tmp_path) as server, http_of(server) as http:
        created = create_cache(http)
    with echo_server(tmp_path) as server, http_of(server) as http:
        assert http.get(f"/v1beta/{created['name']}").json() == created
        assert http.post(GENERATE, json=asking_with(created["name"])).status_code == 200


def test_a_cache_of_another_project_looks_missing(open_test_server: OpenServer) -> None:
    server = open_test_server()
    keys = [
        server.call(server.server.keys.create(ProjectId(name), "test")) for name in ("one", "two")
    ]
    with http_of(server, keys[0]) as mine, http_of(server, keys[1]) as theirs:
        created = create_cache(mine)
        path = f"/v1beta/{created['name']}"
        assert error_of(theirs.get(path)) == MISSING
        assert error_of(theirs.patch(path, json={"ttl": "1s"})) == MISSING
        assert error_of(theirs.delete(path)) == MISSING
        assert error_of(theirs.post(GENERATE, json=asking_with(created["name"]))) == MISSING
        assert theirs.get(CACHES).json() == {}
        assert mine.get(path).json() == created


def test_a_project_has_so_many_caches(open_test_server: OpenServer) -> None:
    with http_of(open_test_server(caches_max=2)) as http:
        first = create_cache(http)
        create_cache(http)
        error = error_of(http.post(CACHES, json=a_cache()))
        assert (error["code"], error["status"]) == (429, "RESOURCE_EXHAUSTED")
        assert http.delete(f"/v1beta/{first['name']}").json() == {}
        create_cache(http)


def test_documents_are_kept_as_they_were(http: httpx.Client) -> None:
    file = upload_raw(http, TEXT.encode())
    parts = [{"fileData": {"fileUri": file["uri"]}}]
    created = create_cache(http, contents=[{"parts": parts}])
    assert created["usageMetadata"]["totalTokenCount"] > WORDS
    assert http.delete(f"/v1beta/{file['name']}").status_code == 200
    reply = http.post(GENERATE, json=asking_with(created["name"]))
    assert reply.status_code == 200, reply.text
    usage = reply.json()["usageMetadata"]
    assert usage["cachedContentTokenCount"] == created["usageMetadata"]["totalTokenCount"]


GS = {"fileData": {"fileUri": "gs://bucket/a.pdf", "mimeType": "application/pdf"}}


@pytest.mark.parametrize(
    ("body", "code", "told"),
    [
        ({"contents": [{"parts": [{"text": "few words"}]}]}, 400, None),
        ({"ttl": "60s", "expireTime": "2027-01-01T00:00:00Z"}, 400, "'expiration' is already set"),
        ({"ttl": "an hour"}, 400, "ttl: 'an hour' is no duration"),
        ({"ttl": "-5s"}, 400, "ttl must be greater than 0"),
        ({"ttl": "999999999999s"}, 400, "beyond the calendar"),
        ({"expireTime": "tomorrow"}, 400, "expire_time: 'tomorrow' is no timestamp"),
        ({"expireTime": "2026-13-01T00:00:00Z"}, 400, "is no timestamp"),
        ({"expireTime": "2026-11-22T11:59:59Z"}, 400, "must be in the future"),
        ({"displayName": "x" * 129}, 400, "more than 128 characters"),
        ({"model": None}, 400, "model is not specified"),
        ({"model": "publishers/google/models/gemini-2.5-flash"}, 404, "is not found"),
        ({"model": "models/publishers/google/models/gemini-2.5-flash"}, 404, "is not found"),
        ({"model": "models/nothing"}, 404, "not supported for createCachedContent"),
        ({"contents": None}, 400, "contents is not specified"),
        ({"contents": [{"parts": [GS]}]}, 400, "contents[0].parts[0].file_data: file_uri must be"),
        ({"contents": [{"parts": []}]}, 400, "contents[0].parts must not be empty"),
        ({"tools": [{"codeExecution": {}}]}, 501, "tools[0].codeExecution"),
        ({"temperature": 1}, 400, "Cannot find field"),
    ],
)
def test_a_cache_that_cannot_be_is_refused_and_leaves_nothing(
    http: httpx.Client, body: dict[str, Any], code: int, told: str | None
) -> None:
    error = error_of(http.post(CACHES, json=a_cache(**body)))
    assert error["code"] == code
    expected = "Cached content is too small. total_token_count=2, min_total_token_count=32"
    assert (told or expected) in error["message"]
    assert http.get(CACHES).json() == {}


def test_a_cache_may_be_a_system_instruction_alone(http: httpx.Client) -> None:
    created = create_cache(http, contents=None, systemInstruction={"parts": [{"text": TEXT}]})
    assert created["usageMetadata"]["totalTokenCount"] == WORDS
    assert http.post(GENERATE, json=asking_with(created["name"])).status_code == 200


def test_a_cache_has_so_many_tokens_at_least(open_test_server: OpenServer) -> None:
    with http_of(open_test_server(cache_tokens_min=WORDS + 1)) as http:
        message = error_of(http.post(CACHES, json=a_cache()))["message"]
        assert message.endswith(f"total_token_count={WORDS}, min_total_token_count={WORDS + 1}")


def test_a_cache_has_so_many_bytes_at_most(open_test_server: OpenServer) -> None:
    with http_of(open_test_server(cache_bytes_max=100)) as http:
        assert "too large" in error_of(http.post(CACHES, json=a_cache()))["message"]


@pytest.mark.parametrize(
    ("query", "body", "told"),
    [
        ("", {}, "ttl or expire_time must be set"),
        ("", {"ttl": "60s", "displayName": "other"}, "display_name: it cannot be changed"),
        ("", {"contents": [{"parts": [{"text": "x"}]}]}, "contents: it cannot be changed"),
        ("?updateMask=displayName", {"displayName": "x"}, "displayName cannot be changed"),
        ("?updateMask=ttl,model", {"ttl": "60s"}, "model cannot be changed"),
        ("", {"ttl": "60s", "expireTime": "2027-01-01T00:00:00Z"}, "already set"),
        ("", {"expireTime": "2020-01-01T00:00:00Z"}, "must be in the future"),
    ],
)
def test_only_the_expiry_changes(
    http: httpx.Client, query: str, body: dict[str, Any], told: str
) -> None:
    created = create_cache(http)
    error = error_of(http.patch(f"/v1beta/{created['name']}{query}", json=body))
    assert error["code"] == 400
    assert told in error["message"]
    assert http.get(f"/v1beta/{created['name']}").json() == created


def test_what_was_got_may_be_sent_back_with_a_mask(http: httpx.Client) -> None:
    created = create_cache(http)
    path = f"/v1beta/{created['name']}?updateMask=expireTime"
    changed = http.patch(path, json=created | {"expireTime": "2026-11-23T14:00:00+02:00"})
    assert changed.json() == created | {"expireTime": "2026-11-23T12:00:00.000000Z"}


@pytest.mark.parametrize("name", ["batchPredictionJobs/1", "projects/p/cachedContents/1", "a b"])
def test_a_name_of_another_form_is_a_bad_argument(http: httpx.Client, name: str) -> None:
    error = error_of(http.post(GENERATE, json=asking_with(name)))
    assert (error["code"], error["status"]) == (400, "INVALID_ARGUMENT")


@pytest.mark.parametrize(
    "name", ["batchPredictionJobs/1", "projects/p/cachedContents/1", "locations/l/cachedContents/1"]
)
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_a_path_of_another_form_is_a_bad_argument(
    http: httpx.Client, method: str, name: str
) -> None:
    error = error_of(http.request(method, f"/v1beta/{name}", json={}))
    assert (error["code"], error["status"]) == (400, "INVALID_ARGUMENT")
    assert name in error["message"]
