"""Whatever a body, a line or a header holds: an answer or a clear refusal, in time."""

import json
from typing import Any

import httpx2 as httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.api.batch_calls import (
    asking,
    batch_of,
    create_from_file,
    finish,
    result_lines,
    upload_lines,
)
from support.api.hostile_json import PLAIN_EMBEDDING, PLAIN_FORM, PLAIN_REQUEST, bodies
from support.api.local_server import ECHO, EMBEDDER, SERVER_ERRORS, echo_server
from support.fuzzing import EXAMPLE_SECONDS_MAX, fuzzed

FLASH = "/v1beta/models/gemini-2.5-flash"
EMBEDDING = "/v1beta/models/gemini-embedding-001"
CALLS: list[tuple[str, dict[str, Any]]] = [
    (f"{FLASH}:generateContent", PLAIN_REQUEST),
    (f"{FLASH}:generateContent", PLAIN_FORM),
    (f"{FLASH}:streamGenerateContent", PLAIN_REQUEST),
    (f"{FLASH}:streamGenerateContent?alt=sse", PLAIN_REQUEST),
    (f"{FLASH}:countTokens", {"generateContentRequest": PLAIN_REQUEST}),
    (f"{FLASH}:batchGenerateContent", batch_of(PLAIN_REQUEST)),
    (f"{EMBEDDING}:embedContent", PLAIN_EMBEDDING),
    (f"{EMBEDDING}:batchEmbedContents", {"requests": [PLAIN_EMBEDDING] * 2}),
    (f"{EMBEDDING}:asyncBatchEmbedContent", batch_of(PLAIN_EMBEDDING)),
]
UPLOAD_HEADERS = (
    "X-Goog-Upload-Protocol",
    "X-Goog-Upload-Command",
    "X-Goog-Upload-Offset",
    "X-Goog-Upload-Header-Content-Length",
    "X-Goog-Upload-Header-Content-Type",
    "X-Goog-Upload-File-Name",
    "Content-Type",
)
VALUES = r"""resumable multipart raw start upload upload,finalize finalize query cancel 0 5 -1 1e3
    text/plain x/\x7f multipart/related;boundary=b multipart/related;boundary= multipart/related"""
HEADER_VALUES = st.sampled_from(["", "9" * 19, "9" * 400, "ü" * 99, *VALUES.split()])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with echo_server(
        tmp_path_factory.mktemp("server"),
        models=(ECHO, EMBEDDER),
        concurrent_batches_max=100_000,
        open_uploads_max=100_000,
    ) as server:
        yield server


def check_answer(reply: httpx.Response) -> None:
    """Check that the reply is an answer, or an error that says something."""
    assert reply.status_code < 500 or reply.status_code in SERVER_ERRORS, reply.text
    if reply.status_code == 200:
        return
    (body,) = reply.json() if reply.text.startswith("[") else [reply.json()]
    assert body["error"]["code"] == reply.status_code
    assert body["error"]["message"]


@pytest.mark.parametrize(("path", "plain"), CALLS, ids=range(len(CALLS)))
def test_every_body_is_answered_or_refused(
    http: httpx.Client, path: str, plain: dict[str, Any]
) -> None:
    assert http.post(path, json=plain).status_code == 200

    @given(body=bodies(plain))
    @fuzzed(examples=40)
    def is_answered(body: bytes) -> None:
        check_answer(http.post(path, content=body, timeout=EXAMPLE_SECONDS_MAX))

    is_answered()


@pytest.mark.parametrize("plain", [PLAIN_FORM, PLAIN_REQUEST], ids=["form", "free"])
def test_every_line_has_exactly_one_outcome(http: httpx.Client, plain: dict[str, Any]) -> None:
    line = bodies({"key": "k", "request": plain, "metadata": {"a": 1}})

    @given(lines=st.lists(line.filter(lambda line: line.strip()), min_size=1, max_size=20))
    @fuzzed(examples=10)
    def has_outcomes(lines: list[bytes]) -> None:
        # A file without a single JSON object is refused as a whole.
        content = [json.dumps({"request": asking("x")}).encode(), *lines]
        count = len([one for one in b"\n".join(content).split(b"\n") if one.strip()])
        created = create_from_file(http, upload_lines(http, content))
        assert created.status_code == 200, created.text
        results = result_lines(http, finish(http, created.json()["name"]))
        assert len(results) == count
        for result in results:
            assert ("response" in result) != ("error" in result)

    has_outcomes()


def test_every_set_of_upload_headers_is_answered_or_refused(http: httpx.Client) -> None:
    @given(
        headers=st.dictionaries(st.sampled_from(UPLOAD_HEADERS), HEADER_VALUES),
        body=st.sampled_from([b"", b"x", b"{}", b"--b\r\n\r\n{}\r\n--b\r\n\r\nx\r\n--b--\r\n"]),
        goes_on=st.booleans(),
    )
    @fuzzed(examples=40)
    def is_answered(headers: dict[str, str], body: bytes, *, goes_on: bool) -> None:
        path = "/upload/v1beta/files"
        if goes_on:
            start = {"X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "start"}
            path = http.post(path, headers=start).headers["X-Goog-Upload-URL"]
        raw = {name: value.encode() for name, value in headers.items()}
        check_answer(http.post(path, headers=raw, content=body, timeout=EXAMPLE_SECONDS_MAX))

    is_answered()
