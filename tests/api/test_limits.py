"""Each bound that a client can reach is named in the answer, of the call or of the line."""

import json
from typing import Any

import httpx2 as httpx
import pytest

from support.api.batch_calls import (
    asking,
    create_from_file,
    create_inline,
    finish,
    result_lines,
    upload_lines,
)
from support.api.document_calls import attaching
from support.api.local_server import OpenServer, http_of
from support.pdf_files import pdf_of

GENERATE = "/v1beta/models/gemini-2.5-flash:generateContent"
RAW = {"X-Goog-Upload-Protocol": "raw"}


@pytest.mark.parametrize(
    ("setting", "limit", "request_body", "message"),
    [
        ("inline_bytes_max", 100, asking("x" * 200), "exceeds the limit: 100 bytes"),
        ("document_bytes_max", 3, attaching(b"abcd", "text/plain"), "at most 3 are read"),
        ("document_characters_max", 3, attaching(b"abcd", "text/plain"), "than 3 characters"),
        (
            "document_pages_max",
            1,
            attaching(pdf_of("a", "b"), "application/pdf"),
            "at most 1 are",
        ),
        (
            "request_documents_max",
            1,
            {"contents": [*attaching(b"a", "text/plain")["contents"]] * 2},
            "2 documents; at most 1",
        ),
    ],
)
def test_a_request_beyond_a_limit_is_refused_with_the_limit(
    open_test_server: OpenServer,
    setting: str,
    limit: int,
    request_body: dict[str, Any],
    message: str,
) -> None:
    with http_of(open_test_server(**{setting: limit})) as http:
        error = http.post(GENERATE, json=request_body).json()["error"]
    assert (error["code"], error["status"]) == (400, "INVALID_ARGUMENT")
    assert message in error["message"]


def test_an_upload_beyond_a_limit_is_refused_with_the_limit(open_test_server: OpenServer) -> None:
    with http_of(open_test_server(upload_bytes_max=8, project_bytes_max=10)) as http:
        upload = "/upload/v1beta/files"
        too_long = http.post(upload, headers=RAW, content=b"123456789")
        assert too_long.status_code == 400
        assert "8" in too_long.json()["error"]["message"]
        assert http.post(upload, headers=RAW, content=b"12345678").status_code == 200
        too_much = http.post(upload, headers=RAW, content=b"123")
        assert too_much.status_code == 429
        assert "limit: 10" in too_much.json()["error"]["message"]


def test_a_line_that_is_too_long_is_the_error_of_that_line(open_test_server: OpenServer) -> None:
    lines = [json.dumps(asking("x" * length)).encode() for length in (1, 200, 1)]
    with http_of(open_test_server(line_bytes_max=100)) as http:
        results = _results(http, lines)
    assert ["error" in result for result in results] == [False, True, False]
    assert "line 2: the line is longer than 100 bytes" in results[1]["error"]["message"]


def test_a_batch_of_too_many_requests_does_not_run(open_test_server: OpenServer) -> None:
    lines = [json.dumps(asking("x")).encode()] * 4
    with http_of(open_test_server(job_requests_max=3)) as http:
        done = finish(http, create_from_file(http, upload_lines(http, lines)).json()["name"])
        assert done["metadata"]["state"] == "JOB_STATE_FAILED"
        assert "at most" in done["error"]["message"]
        allowed = finish(http, create_inline(http, [{"request": asking("x")}] * 3)["name"])
        assert allowed["metadata"]["state"] == "JOB_STATE_SUCCEEDED"


def _results(http: httpx.Client, lines: list[bytes]) -> list[dict[str, Any]]:
    return result_lines(
        http, finish(http, create_from_file(http, upload_lines(http, lines)).json()["name"])
    )
