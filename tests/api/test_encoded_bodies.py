"""Compressed bodies are read wherever a body is, within the limits of what comes out."""

import gzip
import json
import zlib
from collections.abc import Callable, Iterator

import httpx2 as httpx
import pytest

from support.api.batch_calls import asking
from support.api.local_server import LocalServer, echo_server
from support.api.upload_calls import STATUS, begin_upload, download, send
from toplu.settings.server import MIB

LINES = b'{"key": "a", "request": {"contents": [{"parts": [{"text": "hello"}]}]}}\n' * 3000
GENERATE = "/v1beta/models/gemini-2.5-flash:generateContent"
MULTIPART = b"--b\r\n\r\n{}\r\n--b\r\nContent-Type: text/plain\r\n\r\n" + LINES + b"\r\n--b--\r\n"
UPLOADS = "/upload/v1beta/files"
INLINE_BYTES_MAX = MIB
UPLOAD_BYTES_MAX = 8 * MIB


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with echo_server(
        tmp_path_factory.mktemp("server"),
        inline_bytes_max=INLINE_BYTES_MAX,
        upload_bytes_max=UPLOAD_BYTES_MAX,
    ) as running:
        yield running


def in_pieces(data: bytes) -> Iterator[bytes]:
    """Return a body of undeclared length."""
    for start in range(0, len(data), 1000):
        yield data[start : start + 1000]


Sent = Callable[[bytes], bytes | Iterator[bytes]]
ways = pytest.mark.parametrize("sent", [bytes, in_pieces], ids=["declared", "chunked"])


@ways
@pytest.mark.parametrize(
    ("coding", "encode"), [("gzip", gzip.compress), ("deflate", zlib.compress)]
)
def test_a_call_is_answered(
    http: httpx.Client, coding: str, encode: Callable[[bytes], bytes], sent: Sent
) -> None:
    body = encode(json.dumps(asking("hello")).encode())
    reply = http.post(GENERATE, content=sent(body), headers={"Content-Encoding": coding})
    assert reply.status_code == 200, reply.text
    assert "hello" in reply.text


@ways
def test_files_are_stored_as_they_were_before(http: httpx.Client, sent: Sent) -> None:
    gzipped = {"Content-Encoding": "gzip"}
    raw = {"X-Goog-Upload-Protocol": "raw", "Content-Type": "application/jsonl"}
    related = {"Content-Type": "multipart/related; boundary=b"}
    for headers, body in ((raw, LINES), (related, MULTIPART)):
        content = sent(gzip.compress(body))
        reply = http.post(UPLOADS, content=content, headers=headers | gzipped)
        assert reply.status_code == 200, reply.text
        assert download(http, reply.json()["file"]["name"]) == LINES


@ways
def test_chunks_of_a_resumable_upload_count_as_they_were_before(
    http: httpx.Client, sent: Sent
) -> None:
    url = begin_upload(http, len(LINES))
    for start, command in ((0, "upload"), (1000, "upload, finalize")):
        chunk = gzip.compress(LINES[start : 1000 if start == 0 else None])
        headers = {
            "X-Goog-Upload-Command": command,
            "X-Goog-Upload-Offset": str(start),
            "Content-Encoding": "gzip",
        }
        reply = http.post(url, content=sent(chunk), headers=headers)
        assert reply.status_code == 200, reply.text
    assert download(http, reply.json()["file"]["name"]) == LINES


@ways
@pytest.mark.parametrize(
    ("path", "bytes_max"),
    [(GENERATE, INLINE_BYTES_MAX), (f"{UPLOADS}?uploadType=raw", UPLOAD_BYTES_MAX)],
    ids=["call", "upload"],
)
def test_a_bomb_is_refused_at_the_limit_of_what_comes_out(
    http: httpx.Client, sent: Sent, path: str, bytes_max: int
) -> None:
    bomb = gzip.compress(bytes(10 * bytes_max), 9)
    assert len(bomb) < INLINE_BYTES_MAX
    headers = {"Content-Encoding": "gzip", "Content-Type": "text/plain"}
    reply = http.post(path, content=sent(bomb), headers=headers)
    assert reply.status_code == 400
    assert str(bytes_max) in reply.json()["error"]["message"]


@ways
@pytest.mark.parametrize(
    ("path", "headers"),
    [
        (GENERATE, {}),
        ("/v1beta/models/echo:batchGenerateContent", {}),
        (UPLOADS, {"X-Goog-Upload-Protocol": "raw"}),
        (UPLOADS, {"Content-Type": "multipart/related; boundary=b"}),
        (UPLOADS, {"X-Goog-Upload-Protocol": "resumable"}),
    ],
)
def test_other_codings_are_refused_by_name(
    http: httpx.Client, path: str, headers: dict[str, str], sent: Sent
) -> None:
    reply = http.post(path, content=sent(b"\x8b\x00"), headers=headers | {"Content-Encoding": "br"})
    assert (reply.status_code, reply.headers["Accept-Encoding"]) == (415, "gzip, deflate")
    error = reply.json()["error"]
    assert (error["code"], error["status"]) == (415, "INVALID_ARGUMENT")
    assert '"br"' in error["message"]


def test_a_chunk_in_another_coding_ends_the_upload(http: httpx.Client) -> None:
    url = begin_upload(http, 4)
    headers = {"X-Goog-Upload-Command": "upload", "Content-Encoding": "br"}
    reply = http.post(url, content=b"\x8b\x00", headers=headers)
    assert (reply.status_code, reply.headers[STATUS]) == (415, "final")


def test_a_body_that_is_not_what_it_says_is_named(http: httpx.Client) -> None:
    reply = http.post(GENERATE, content=b"{}", headers={"Content-Encoding": "gzip"})
    assert reply.status_code == 400
    assert "The body is not valid gzip" in reply.json()["error"]["message"]


@pytest.mark.parametrize("name", ["Content-Encoding", "Content-Transfer-Encoding"])
def test_a_part_that_says_it_is_encoded_is_refused(http: httpx.Client, name: str) -> None:
    body = MULTIPART.replace(b"Content-Type: text/plain", name.encode() + b": base64")
    headers = {"Content-Type": "multipart/related; boundary=b"}
    reply = http.post(UPLOADS, content=body, headers=headers)
    assert reply.status_code == 415
    assert f'{name} "base64"' in reply.json()["error"]["message"]


def test_an_upload_that_says_its_file_is_encoded_is_refused(http: httpx.Client) -> None:
    headers = {
        "X-Goog-Upload-Protocol": "resumable",
        "X-Goog-Upload-Header-Content-Encoding": "gzip",
    }
    reply = http.post(UPLOADS, headers=headers)
    assert reply.status_code == 415
    assert 'X-Goog-Upload-Header-Content-Encoding "gzip"' in reply.json()["error"]["message"]


def test_a_repeated_chunk_may_be_compressed_in_another_way(http: httpx.Client) -> None:
    url = begin_upload(http, 4)
    assert send(http, url, "upload", b"abcd", offset=0).status_code == 200
    headers = {
        "X-Goog-Upload-Command": "upload, finalize",
        "X-Goog-Upload-Offset": "0",
        "Content-Encoding": "deflate",
    }
    reply = http.post(url, content=zlib.compress(b"abcd"), headers=headers)
    assert (reply.status_code, reply.headers[STATUS]) == (200, "final")
