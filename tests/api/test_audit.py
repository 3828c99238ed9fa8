"""The audit log of a whole server: every deed of both APIs is there once, with its key."""

from collections.abc import Iterator

import httpx2 as httpx
import pytest

from support.api.batch_calls import asking, create_from_file, create_inline, finish, upload_lines
from support.api.cache_calls import asking_with, create_cache
from support.api.local_server import EMBEDDER, LocalServer, OpenServer, http_of
from support.api.openai_batches import chat_line
from support.api.openai_batches import create as create_openai
from support.api.openai_batches import finish as finish_openai
from support.api.openai_calls import openai_client
from toplu.job import ProjectId
from toplu.projects.audit_log import AuditEntry

PROJECT = ProjectId("team-a")
FAILING = {"request": asking("please fail")}
GENERATE = "/v1beta/models/gemini-2.5-flash:generateContent"


@pytest.fixture
def key(server: LocalServer) -> str:
    return str(server.call(server.server.keys.create(PROJECT, "test")))


@pytest.fixture
def http(server: LocalServer, key: str) -> Iterator[httpx.Client]:
    with http_of(server, key) as client:
        yield client


def entries_of(server: LocalServer, project: ProjectId = PROJECT) -> list[AuditEntry]:
    """Return the entries of the project, oldest first."""
    entries, more = server.call(server.server.audit.page(size=1000, project=project))
    assert more is None
    return list(reversed(entries))


def deeds_of(server: LocalServer) -> list[tuple[str, str]]:
    return [(str(it.action), it.name) for it in entries_of(server) if it.actor != "server"]


def key_id_of(server: LocalServer) -> str:
    (issued,) = server.call(server.server.keys.list())
    return str(issued.id)


def test_deeds_of_the_gemini_api(server: LocalServer, http: httpx.Client) -> None:
    inline = create_inline(http, [{"request": asking("x")}, FAILING])["name"]
    finish(http, inline)
    retry = http.post(f"/v1beta/{inline}:retry", json={}).json()["name"]
    http.get(f"/v1beta/{retry}:results").raise_for_status()
    http.patch(f"/v1beta/{retry}:updateGenerateContentBatch", json={"displayName": "x"})
    http.delete(f"/v1beta/{inline}").raise_for_status()
    cache = create_cache(http)["name"]
    http.patch(f"/v1beta/{cache}", json={"ttl": "60s"}).raise_for_status()
    http.delete(f"/v1beta/{cache}").raise_for_status()
    assert deeds_of(server) == [
        ("batch.create", inline),
        ("batch.read", inline),
        ("batch.retry", retry),
        ("batch.read", retry),
        ("batch.update", retry),
        ("batch.delete", inline),
        ("cache.create", cache),
        ("cache.update", cache),
        ("cache.delete", cache),
    ]
    actors = {(it.actor, it.client) for it in entries_of(server) if it.actor != "server"}
    assert actors == {(f"key/{key_id_of(server)}", "127.0.0.1")}


def test_files_are_made_read_and_deleted_by_their_key(
    server: LocalServer, http: httpx.Client
) -> None:
    file = upload_lines(http, [b'{"key": "a", "request": {"contents": []}}'])
    done = finish(http, create_from_file(http, file).json()["name"])
    output = done["response"]["responsesFile"]
    for _ in range(2):
        http.get(f"/download/v1beta/{output}:download?alt=media").raise_for_status()
    http.get(f"/v1beta/{file}").raise_for_status()
    http.delete(f"/v1beta/{file}").raise_for_status()
    assert deeds_of(server) == [
        ("file.create", file),
        ("batch.create", done["name"]),
        ("file.read", output),
        ("file.delete", file),
    ]


def test_an_upload_without_a_key_is_of_the_key_that_began_it(
    server: LocalServer, http: httpx.Client
) -> None:
    start = {"X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "start"}
    begun = http.post("/upload/v1beta/files", json={"file": {}}, headers=start)
    url = begun.headers["x-goog-upload-url"]
    with http_of(server, None) as keyless:
        command = {"X-Goog-Upload-Command": "upload, finalize", "X-Goog-Upload-Offset": "0"}
        keyless.post(url, content=b"x", headers=command).raise_for_status()
    (entry,) = [it for it in entries_of(server) if it.action == "file.create"]
    assert (entry.actor, entry.client) == (f"key/{key_id_of(server)}", "127.0.0.1")


def test_deeds_of_openais_api_have_the_ids_of_their_calls(
    open_test_server: OpenServer,
) -> None:
    server = open_test_server()
    key = server.call(server.server.keys.create(PROJECT, "test"))
    with openai_client(server, key=key) as sdk:
        batch = finish_openai(sdk, create_openai(sdk, [chat_line("a", "x")]))
        sdk.files.content(batch.output_file_id)
        sdk.files.content(batch.input_file_id)
        sdk.batches.cancel(create_openai(sdk, [chat_line("b", "x")]).id)
        sdk.files.delete(batch.input_file_id)
    name = batch.id.replace("batch_", "batches/")
    file = batch.input_file_id.replace("file-", "files/")
    deeds = deeds_of(server)
    assert deeds[:4] == [
        ("file.create", file),
        ("batch.create", name),
        ("batch.read", name),
        ("file.read", file),
    ]
    assert [action for action, _ in deeds[4:]][:2] == ["file.create", "batch.create"]
    assert deeds[-1] == ("file.delete", file)
    calls = [it.call for it in entries_of(server) if it.actor.startswith("key/")]
    assert all(call and call.startswith("req_") for call in calls)
    assert len(set(calls)) == len(calls)


def test_calls_that_do_nothing_of_these_leave_nothing(
    server: LocalServer, http: httpx.Client
) -> None:
    http.post(GENERATE, json=asking("x")).raise_for_status()
    http.get("/v1beta/batches").raise_for_status()
    http.get("/v1beta/files").raise_for_status()
    assert http.delete("/v1beta/batches/none").status_code == 404
    assert http.post(GENERATE, json=asking_with("cachedContents/none")).status_code == 403
    assert deeds_of(server) == []
    assert [it.action for it in entries_of(server)] == ["key.create"]


def test_while_any_key_works_the_actor_is_anyone(open_test_server: OpenServer) -> None:
    server = open_test_server(models=(EMBEDDER,))
    with http_of(server) as http:
        upload_lines(http, [b"{}"])
    (entry,) = entries_of(server, ProjectId("default"))
    assert (entry.actor, entry.action) == ("anyone", "file.create")


@pytest.mark.parametrize(
    ("proxies", "forwarded", "client"),
    [
        ((), "10.0.0.9", "127.0.0.1"),
        (("127.0.0.1",), None, "127.0.0.1"),
        (("127.0.0.1",), "10.0.0.9", "10.0.0.9"),
        (("127.0.0.0/8",), "6.6.6.6, 10.0.0.9", "10.0.0.9"),
        (("127.0.0.0/8", "10.0.0.0/8"), "6.6.6.6, 10.0.0.9", "6.6.6.6"),
        (("::1",), "10.0.0.9", "127.0.0.1"),
    ],
)
def test_what_a_client_says_of_its_address_is_believed_to_proxies_alone(
    open_test_server: OpenServer,
    proxies: tuple[str, ...],
    forwarded: str | None,
    client: str,
) -> None:
    server = open_test_server(trusted_proxies=proxies, models=(EMBEDDER,))
    with http_of(server) as http:
        if forwarded is not None:
            http.headers["X-Forwarded-For"] = forwarded
        upload_lines(http, [b"{}"])
    (entry,) = entries_of(server, ProjectId("default"))
    assert entry.client == client
