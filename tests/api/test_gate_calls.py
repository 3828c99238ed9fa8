"""The right to call: keys in their three places, keys that are wrong, and projects apart."""

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx2 as httpx
import pytest
from google import genai
from google.genai import errors

from support.api.batch_calls import asking, create_from_file, create_inline, finish, operation
from support.api.local_server import LocalServer, OpenServer, client_of, http_of
from support.api.upload_calls import begin, send, upload_raw
from support.fake_clock import FakeClock
from toplu.job import ProjectId
from toplu.settings.server import Settings
from toplu.wiring.admin import open_keys

NO_KEY = {
    "error": {
        "code": 403,
        "message": "Method doesn't allow unregistered callers (callers without established "
        "identity). Please use API Key or other form of API consumer identity to call this API.",
        "status": "PERMISSION_DENIED",
    }
}
BAD_KEY_TEXT = "API key not valid. Please pass a valid API key."
BAD_KEY = {
    "error": {
        "code": 400,
        "message": BAD_KEY_TEXT,
        "status": "INVALID_ARGUMENT",
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "API_KEY_INVALID",
                "domain": "googleapis.com",
                "metadata": {"service": "generativelanguage.googleapis.com"},
            },
            {
                "@type": "type.googleapis.com/google.rpc.LocalizedMessage",
                "locale": "en-US",
                "message": BAD_KEY_TEXT,
            },
        ],
    }
}
CALLS = [
    ("GET", "/v1beta/models"),
    ("GET", "/v1beta/models/echo"),
    ("POST", "/v1beta/models/echo:generateContent"),
    ("POST", "/v1beta/models/echo:countTokens"),
    ("POST", "/v1beta/models/echo:batchGenerateContent"),
    ("GET", "/v1beta/batches"),
    ("GET", "/v1beta/batches/x"),
    ("DELETE", "/v1beta/batches/x"),
    ("GET", "/v1beta/batches/x:cancel"),
    ("POST", "/v1beta/batches/x:delete"),
    ("POST", "/upload/v1beta/files"),
    ("GET", "/v1beta/files"),
    ("GET", "/v1beta/files/x"),
    ("DELETE", "/v1beta/files/x"),
    ("GET", "/v1beta/files/x:download"),
    ("GET", "/download/v1beta/files/x:download"),
]


@pytest.fixture(scope="module")
def server(shared_server: LocalServer) -> LocalServer:
    return shared_server


def key_of(server: LocalServer, project: str) -> str:
    return server.call(server.server.keys.create(ProjectId(project), "test"))


@pytest.fixture(scope="module")
def keys(shared_server: LocalServer) -> dict[str, str]:
    return {project: key_of(shared_server, project) for project in ("alpha", "beta")}


@pytest.fixture
def alpha(server: LocalServer, keys: dict[str, str]) -> Iterator[httpx.Client]:
    with http_of(server, keys["alpha"]) as http:
        yield http


@pytest.fixture
def beta(server: LocalServer, keys: dict[str, str]) -> Iterator[httpx.Client]:
    with http_of(server, keys["beta"]) as http:
        yield http


def test_any_key_will_do_until_the_first_is_made(open_test_server: OpenServer) -> None:
    server = open_test_server()
    with http_of(server, "whatever") as http, http_of(server, key=None) as keyless:
        assert http.get("/v1beta/models").status_code == 200
        assert keyless.get("/v1beta/models").json() == NO_KEY
        key = key_of(server, "alpha")
        assert http.get("/v1beta/models").json() == BAD_KEY
        assert keyless.get(f"/v1beta/models?key={key}").status_code == 200


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_every_call_needs_a_valid_key(
    keyless: httpx.Client, keys: dict[str, str], method: str, path: str
) -> None:
    assert keys
    missing = keyless.request(method, path)
    assert (missing.status_code, missing.json()) == (403, NO_KEY)
    for wrong in ("any", "tpl_wrong", "x" * 5000, "schlüssel".encode()):
        bad = keyless.request(method, path, headers={"x-goog-api-key": wrong})
        assert (bad.status_code, bad.json()) == (400, BAD_KEY)


def test_a_key_counts_in_each_of_its_places(keyless: httpx.Client, keys: dict[str, str]) -> None:
    key = keys["alpha"]
    path = "/v1beta/batches"
    for headers in (
        {"x-goog-api-key": key},
        {"X-Goog-Api-Key": key},
        {"Authorization": f"Bearer {key}"},
        {"authorization": f"bearer  {key}"},
    ):
        assert keyless.get(path, headers=headers).status_code == 200, headers
    assert keyless.get(path, params={"key": key}).status_code == 200
    assert keyless.get(path, headers={"Authorization": f"Basic {key}"}).json() == NO_KEY
    assert keyless.get(path, headers={"x-goog-api-key": ""}).json() == NO_KEY


def test_the_header_comes_before_the_query_and_the_bearer(
    keyless: httpx.Client, keys: dict[str, str]
) -> None:
    key = keys["alpha"]
    bearer = {"Authorization": f"Bearer {key}"}
    assert keyless.get("/v1beta/batches?key=bad", headers=bearer).json() == BAD_KEY
    header = {"x-goog-api-key": key, "Authorization": "Bearer bad"}
    assert keyless.get("/v1beta/batches?key=bad", headers=header).status_code == 200


def test_the_sdk_raises_what_the_gate_says(server: LocalServer, keys: dict[str, str]) -> None:
    assert keys
    client = client_of(server, "bad")
    with pytest.raises(errors.ClientError) as caught:
        client.batches.get(name="batches/x")
    assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT")
    assert caught.value.message == BAD_KEY_TEXT


def test_health_and_documents_need_no_key(keyless: httpx.Client, keys: dict[str, str]) -> None:
    assert keys
    for path in ("/healthz", "/readyz", "/openapi.json", "/docs"):
        assert keyless.get(path).status_code == 200


def test_a_revoked_key_stops_and_opens_nothing(
    open_test_server: OpenServer, tmp_path: Path
) -> None:
    async def revoke(key: str) -> None:
        # Another process does it, as the command line would.
        async with open_keys(Settings(data_dir=tmp_path / "data")) as keys:
            await keys.revoke(key[:10])

    clock = FakeClock()
    server = open_test_server(clock=clock)
    key = key_of(server, "alpha")
    with http_of(server, key) as http:
        assert http.get("/v1beta/batches").status_code == 200
        asyncio.run(revoke(key))
        clock.advance(timedelta(seconds=3))
        assert http.get("/v1beta/batches").json() == BAD_KEY
    with http_of(server, "any") as http:
        assert http.get("/v1beta/batches").json() == BAD_KEY


def same_but_for_names(first: httpx.Response, second: httpx.Response, *names: str) -> bool:
    """Return whether a client can see a difference, other than by what it asked for."""
    texts = []
    for reply in (first, second):
        text = reply.text
        for name in names:
            text = text.replace(name.partition("/")[2], "ID")
        texts.append((reply.status_code, text))
    return texts[0] == texts[1]


def test_a_file_of_another_project_looks_like_a_missing_one(
    alpha: httpx.Client, beta: httpx.Client
) -> None:
    name = upload_raw(alpha, json.dumps(asking("mine")).encode())["name"]
    missing = "files/abcdefghijkl"
    for method, path in (
        ("GET", "/v1beta/{}"),
        ("DELETE", "/v1beta/{}"),
        ("GET", "/v1beta/{}:download?alt=media"),
        ("GET", "/download/v1beta/{}:download?alt=media"),
    ):
        foreign = beta.request(method, path.format(name))
        assert foreign.status_code == 403
        never = beta.request(method, path.format(missing))
        assert same_but_for_names(foreign, never, name, missing)
    foreign = create_from_file(beta, name)
    assert foreign.status_code == 403
    assert same_but_for_names(foreign, create_from_file(beta, missing), name, missing)
    assert alpha.get(f"/v1beta/{name}").status_code == 200


def test_a_batch_of_another_project_looks_like_a_missing_one(
    alpha: httpx.Client, beta: httpx.Client
) -> None:
    name = create_inline(alpha, [{"request": asking("mine")}])["name"]
    for method, suffix in (
        ("GET", ""),
        ("GET", ":cancel"),
        ("POST", ":cancel"),
        ("DELETE", ""),
        ("GET", ":delete"),
        ("POST", ":delete"),
    ):
        foreign = beta.request(method, f"/v1beta/{name}{suffix}")
        assert foreign.status_code == 404
        assert foreign.json()["error"]["status"] == "NOT_FOUND"
        never = beta.request(method, f"/v1beta/batches/{'a' * 34}{suffix}")
        assert same_but_for_names(foreign, never, name)
    assert finish(alpha, name)["metadata"]["state"] == "JOB_STATE_SUCCEEDED"


def test_a_file_name_is_a_projects_own(alpha: httpx.Client, beta: httpx.Client) -> None:
    for http in (alpha, beta):
        url = begin(http, 0, {"name": "shared-name"}).headers["X-Goog-Upload-URL"]
        assert send(http, url, "finalize").json()["file"]["name"] == "files/shared-name"
        assert begin(http, 0, {"name": "shared-name"}).status_code == 409
    assert alpha.delete("/v1beta/files/shared-name").status_code == 200
    assert beta.get("/v1beta/files/shared-name").status_code == 200


def test_the_results_of_another_project_are_missing_too(
    alpha: httpx.Client, beta: httpx.Client
) -> None:
    name = upload_raw(alpha, json.dumps(asking("mine")).encode())["name"]
    done = finish(alpha, create_from_file(alpha, name).json()["name"])
    results = done["response"]["responsesFile"]
    assert alpha.get(f"/v1beta/{results}:download").status_code == 200
    assert beta.get(f"/v1beta/{results}:download").status_code == 403


def test_lists_are_a_projects_own(server: LocalServer, alpha: httpx.Client) -> None:
    batch = create_inline(alpha, [{"request": asking("mine")}])["name"]
    file = upload_raw(alpha, b"mine")["name"]
    with http_of(server, key_of(server, "gamma")) as gamma:
        assert gamma.get("/v1beta/batches").json() == {}
        assert gamma.get("/v1beta/files").json() == {}
        own = create_inline(gamma, [{"request": asking("own")}])["name"]
        listed = gamma.get("/v1beta/batches").json()["operations"]
        assert [entry["name"] for entry in listed] == [own]
    # Two keys of one project see the same.
    with http_of(server, key_of(server, "alpha")) as second:
        assert operation(second, batch)["name"] == batch
        assert second.get("/v1beta/files").json()["files"][0]["name"] == file


def test_limits_are_a_projects_own(open_test_server: OpenServer) -> None:
    server = open_test_server(open_uploads_max=1)
    first, second = (http_of(server, key_of(server, project)) for project in ("alpha", "beta"))
    with first, second:
        assert begin(first, 1).status_code == 200
        assert begin(first, 1).status_code == 429
        assert begin(second, 1).status_code == 200


def test_the_sdk_works_with_a_key_of_a_project(server: LocalServer, keys: dict[str, str]) -> None:
    client: genai.Client = client_of(server, keys["alpha"])
    reply = client.models.generate_content(model="gemini-2.5-flash", contents="hello")
    assert reply.text == "hello"
