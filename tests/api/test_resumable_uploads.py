"""Resumable uploads as the protocol has them, over HTTP and through the SDK."""

import io
import random
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2 as httpx
import pytest
from google import genai

from support.api.local_server import LocalServer, OpenServer, http_of
from support.api.upload_calls import (
    SIZE_RECEIVED,
    STATUS,
    assert_refused_for_good,
    begin,
    begin_upload,
    download,
    send,
)
from support.fake_clock import FakeClock

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def server(shared_server: LocalServer) -> LocalServer:
    return shared_server


@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha"])
def test_the_start_answers_with_the_address_of_the_session(
    server: LocalServer, http: httpx.Client, version: str
) -> None:
    reply = begin(http, 12, {"display_name": "my", "mime_type": "jsonl"}, version=version)
    assert (reply.status_code, reply.content) == (200, b"")
    assert reply.headers[STATUS] == "active"
    assert reply.headers["X-Goog-Upload-Chunk-Granularity"] == str(8 * MIB)
    url = reply.headers["X-Goog-Upload-URL"]
    assert reply.headers["X-Goog-Upload-Control-URL"] == url
    assert url.startswith(f"{server.url}/upload/{version}/files?")
    query = parse_qs(urlsplit(url).query)
    assert query["upload_protocol"] == ["resumable"]
    assert query["upload_id"] == [reply.headers["X-GUploader-UploadID"]]
    assert len(query["upload_id"][0]) >= 32


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Host": "batch.example:8080"}, "http://batch.example:8080/upload/"),
        (
            {"Host": "inner", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "batch.example"},
            "https://batch.example/upload/",
        ),
        ({"Host": "inner", "X-Forwarded-Prefix": "/gemini/"}, "http://inner/gemini/upload/"),
        (
            {
                "Host": "inner",
                "X-Forwarded-Proto": "https, http",
                "X-Forwarded-Host": "a.example, b",
            },
            "https://a.example/upload/",
        ),
    ],
)
def test_the_session_has_the_host_that_the_client_called(
    open_test_server: OpenServer, headers: dict[str, str], expected: str
) -> None:
    server = open_test_server(allowed_hosts=("batch.example", "inner"))
    with http_of(server) as http:
        assert begin(http, headers=headers).headers["X-Goog-Upload-URL"].startswith(expected)


def test_the_public_url_overrules_what_headers_say(open_test_server: OpenServer) -> None:
    server = open_test_server(public_url="https://batch.example/api/")
    with http_of(server) as http:
        reply = begin(http, headers={"X-Forwarded-Host": "elsewhere"})
        url = reply.headers["X-Goog-Upload-URL"]
        assert url.startswith("https://batch.example/api/upload/v1beta/files?")


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_chunks_make_a_file_and_need_no_key(
    http: httpx.Client, keyless: httpx.Client, method: str
) -> None:
    url = begin_upload(http, 11, {"displayName": "greeting", "mimeType": "text/plain"})
    middle = send(keyless, url, "upload", b"hello ", offset=0, method=method)
    assert (middle.status_code, middle.content) == (200, b"")
    assert middle.headers[STATUS] == "active"
    assert middle.headers[SIZE_RECEIVED] == "6"
    asked = send(keyless, url, "query", method=method)
    assert (asked.status_code, asked.headers[STATUS], asked.headers[SIZE_RECEIVED]) == (
        200,
        "active",
        "6",
    )
    last = send(keyless, url, "upload, finalize", b"world", offset=6, method=method)
    assert (last.status_code, last.headers[STATUS]) == (200, "final")
    file = last.json()["file"]
    assert (file["displayName"], file["mimeType"], file["sizeBytes"]) == (
        "greeting",
        "text/plain",
        "11",
    )
    assert download(http, file["name"]) == b"hello world"


@pytest.mark.parametrize("declared", [5, None])
@pytest.mark.parametrize(
    ("command", "offset"), [("finalize", None), ("upload, finalize", 5), ("upload,finalize", 5)]
)
def test_the_end_may_come_without_bytes(
    http: httpx.Client, keyless: httpx.Client, declared: int | None, command: str, offset: int
) -> None:
    url = begin_upload(http, declared)
    send(keyless, url, "upload", b"hello", offset=0)
    last = send(keyless, url, command, offset=offset)
    assert (last.status_code, last.headers[STATUS]) == (200, "final")
    assert download(http, last.json()["file"]["name"]) == b"hello"


def test_an_empty_file_is_uploaded(http: httpx.Client, keyless: httpx.Client) -> None:
    last = send(keyless, begin_upload(http, 0), "upload, finalize", offset=0)
    assert last.json()["file"]["sizeBytes"] == "0"
    assert download(http, last.json()["file"]["name"]) == b""


def test_a_chunk_that_comes_again_changes_nothing(
    http: httpx.Client, keyless: httpx.Client
) -> None:
    url = begin_upload(http, 9)
    for _ in range(3):
        again = send(keyless, url, "upload", b"abc", offset=0)
        assert (again.status_code, again.headers[SIZE_RECEIVED]) == (200, "3")
    # Half of it arrived before, half of it did not.
    assert send(keyless, url, "upload", b"bcdef", offset=1).headers[SIZE_RECEIVED] == "6"
    bodies = [send(keyless, url, "upload, finalize", b"ghi", offset=6) for _ in range(3)]
    bodies += [send(keyless, url, "finalize"), send(keyless, url, "query")]
    assert {reply.headers[STATUS] for reply in bodies} == {"final"}
    assert {reply.status_code for reply in bodies} == {200}
    assert len({reply.content for reply in bodies}) == 1
    assert download(http, bodies[0].json()["file"]["name"]) == b"abcdefghi"


def test_other_bytes_at_the_same_offset_are_refused_for_good(
    http: httpx.Client, keyless: httpx.Client
) -> None:
    url = begin_upload(http, 6)
    send(keyless, url, "upload", b"abc", offset=0)
    differs = send(keyless, url, "upload, finalize", b"abXdef", offset=0)
    assert_refused_for_good(differs, 400, "INVALID_ARGUMENT")
    assert "differ" in differs.json()["error"]["message"]


def test_a_gap_is_refused_and_the_upload_goes_on_where_it_stands(
    http: httpx.Client, keyless: httpx.Client
) -> None:
    url = begin_upload(http, 6)
    send(keyless, url, "upload", b"abc", offset=0)
    gap = send(keyless, url, "upload", b"ef", offset=4)
    assert gap.status_code == 400
    assert STATUS not in gap.headers
    assert gap.headers[SIZE_RECEIVED] == "3"
    assert gap.json()["error"]["status"] == "INVALID_ARGUMENT"
    last = send(keyless, url, "upload, finalize", b"def", offset=3)
    assert download(http, last.json()["file"]["name"]) == b"abcdef"


def test_a_cancelled_upload_is_over(http: httpx.Client, keyless: httpx.Client) -> None:
    url = begin_upload(http, 6)
    send(keyless, url, "upload", b"abc", offset=0)
    for command in ("cancel", "cancel", "query"):
        reply = send(keyless, url, command)
        assert (reply.status_code, reply.headers[STATUS]) == (200, "cancelled")
    for command in ("upload", "upload, finalize", "finalize"):
        reply = send(keyless, url, command, b"def", offset=3)
        assert_refused_for_good(reply, 400, "FAILED_PRECONDITION")


def test_a_finished_upload_cannot_be_cancelled(http: httpx.Client, keyless: httpx.Client) -> None:
    url = begin_upload(http, 0)
    name = send(keyless, url, "finalize").json()["file"]["name"]
    assert_refused_for_good(send(keyless, url, "cancel"), 400, "FAILED_PRECONDITION")
    assert download(http, name) == b""
    assert http.delete(f"/v1beta/{name}").status_code == 200
    assert_refused_for_good(send(keyless, url, "query"), 404, "NOT_FOUND")


@pytest.mark.parametrize("command", ["upload", "upload, finalize", "finalize", "query", "cancel"])
def test_an_unknown_upload_is_not_found_for_good(keyless: httpx.Client, command: str) -> None:
    url = "/upload/v1beta/files?upload_id=nobody&upload_protocol=resumable"
    assert_refused_for_good(send(keyless, url, command, b"x", offset=0), 404, "NOT_FOUND")


@pytest.mark.parametrize("command", ["", "start", "uplaod", "upload, query, start"])
def test_an_unknown_command_is_refused_for_good(
    http: httpx.Client, keyless: httpx.Client, command: str
) -> None:
    url = begin_upload(http, 1)
    assert_refused_for_good(send(keyless, url, command, b"x", offset=0), 400, "INVALID_ARGUMENT")


def test_a_length_other_than_the_declared_one_is_refused_for_good(
    http: httpx.Client, keyless: httpx.Client
) -> None:
    before = http.get("/v1beta/files?pageSize=100").json()
    short = begin_upload(http, 5)
    reply = send(keyless, short, "upload, finalize", b"abcd", offset=0)
    assert_refused_for_good(reply, 400, "INVALID_ARGUMENT")
    long = begin_upload(http, 5)
    reply = send(keyless, long, "upload, finalize", b"abcdef", offset=0)
    assert_refused_for_good(reply, 400, "INVALID_ARGUMENT")
    assert http.get("/v1beta/files?pageSize=100").json() == before


@pytest.mark.parametrize("header", ["-1", "many", "1.5", "²".encode("latin-1"), "9" * 5000])
def test_a_length_that_is_no_number_is_refused(http: httpx.Client, header: Any) -> None:
    reply = begin(http, headers={"X-Goog-Upload-Header-Content-Length": header})
    assert reply.status_code == 400


def test_a_file_that_is_too_large_is_refused(open_test_server: OpenServer) -> None:
    server = open_test_server(upload_bytes_max=8)
    with http_of(server) as http:
        declared = begin(http, 9)
        assert declared.status_code == 400
        assert declared.json()["error"]["status"] == "INVALID_ARGUMENT"
        url = begin_upload(http)
        assert send(http, url, "upload", b"12345678", offset=0).status_code == 200
        reply = send(http, url, "upload", b"9", offset=8)
        assert_refused_for_good(reply, 400, "INVALID_ARGUMENT")
        assert http.get("/v1beta/files").json() == {}


@pytest.mark.in_folder
def test_an_upload_that_nobody_ends_goes_with_its_bytes(
    open_test_server: OpenServer, tmp_path: Path
) -> None:
    clock = FakeClock()
    server = open_test_server(clock=clock)
    with http_of(server) as http:
        url = begin_upload(http, 6)
        send(http, url, "upload", b"abc", offset=0)
        assert [path.read_bytes() for path in (tmp_path / "data").rglob("*.part")] == [b"abc"]
        clock.advance(timedelta(hours=49))
        assert_refused_for_good(send(http, url, "query"), 404, "NOT_FOUND")
        server.call(server.server.pipeline.tidy())
        assert list((tmp_path / "data").rglob("*.part")) == []


@pytest.mark.parametrize("size_bytes", [0, 1, 8 * MIB, 8 * MIB + 12345])
def test_the_sdk_uploads_and_downloads_byte_for_byte(client: genai.Client, size_bytes: int) -> None:
    content = random.Random(size_bytes).randbytes(size_bytes)
    file = client.files.upload(
        file=io.BytesIO(content),
        config={"mime_type": "application/octet-stream", "display_name": "bytes"},
    )
    assert file.size_bytes == size_bytes
    assert client.files.download(file=file.name) == content


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")  # in the SDK
@pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")  # in the SDK
def test_the_asynchronous_sdk_uploads_too(client: genai.Client, server: LocalServer) -> None:
    content = random.Random(1).randbytes(8 * MIB + 1)

    async def upload() -> bytes:
        async with client.aio as client_of_loop:
            file = await client_of_loop.files.upload(
                file=io.BytesIO(content), config={"mime_type": "jsonl"}
            )
            return await client_of_loop.files.download(file=file.name)

    assert server.call(upload()) == content
