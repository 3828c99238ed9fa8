"""Uploads in one call: multipart and raw."""

import json

import httpx2 as httpx
import pytest

from support.api.local_server import LocalServer, http_of
from support.api.upload_calls import STATUS, download, upload_raw

BYTES = bytes(range(256)) * 3 + b"\r\n--almost\r\n"
METADATA = {"file": {"displayName": "my file", "mimeType": "application/jsonl"}}


@pytest.fixture(scope="module")
def server(shared_server: LocalServer) -> LocalServer:
    return shared_server


def related(*parts: tuple[str, bytes], end: bytes = b"--here--\r\n") -> bytes:
    """Return a multipart body of parts with their content types."""
    written = (
        b"--here\r\nContent-Type: " + content_type.encode() + b"\r\n\r\n" + content + b"\r\n"
        for content_type, content in parts
    )
    return b"".join(written) + end


def post_related(
    http: httpx.Client, body: bytes, *, query: str = "", **headers: str
) -> httpx.Response:
    sent = {"Content-Type": "multipart/related; boundary=here"} | headers
    return http.post(f"/upload/v1beta/files{query}", content=body, headers=sent)


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("", {"X-Goog-Upload-Protocol": "multipart"}),
        ("?uploadType=multipart", {}),
        ("?upload_protocol=multipart", {}),
        ("", {}),
    ],
)
def test_a_related_body_is_metadata_and_file(
    http: httpx.Client, query: str, headers: dict[str, str]
) -> None:
    body = related(("application/json", json.dumps(METADATA).encode()), ("text/plain", BYTES))
    reply = post_related(http, body, query=query, **headers)
    assert (reply.status_code, reply.headers[STATUS]) == (200, "final")
    file = reply.json()["file"]
    assert (file["displayName"], file["mimeType"]) == ("my file", "application/jsonl")
    assert download(http, file["name"]) == BYTES


def test_the_type_of_the_second_part_counts_where_the_metadata_names_none(
    http: httpx.Client,
) -> None:
    body = related(("application/json", b"{'file': {'display_name': 'x'}}"), ("text/csv", b"a,b"))
    file = post_related(http, body).json()["file"]
    assert (file["displayName"], file["mimeType"], file["sizeBytes"]) == ("x", "text/csv", "3")


def test_a_form_is_metadata_and_file(http: httpx.Client) -> None:
    reply = http.post(
        "/upload/v1beta/files",
        files={
            "metadata": (None, json.dumps({"file": {"displayName": "form"}}), "application/json"),
            "file": ("input.jsonl", BYTES, "application/jsonl"),
        },
        headers={"X-Goog-Upload-Protocol": "multipart"},
    )
    assert reply.status_code == 200, reply.text
    file = reply.json()["file"]
    assert (file["displayName"], file["mimeType"]) == ("form", "application/jsonl")
    assert download(http, file["name"]) == BYTES


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "two parts"),
        (related(("application/json", b"{}")), "two parts"),
        (related(("application/json", b"{}"), ("text/plain", b"cut"), end=b""), "ends before"),
        (related(*[("application/json", b"{}")] * 3), "more"),
        (related(("application/json", b'{"colour": 1}'), ("text/plain", b"x")), '"colour"'),
        (related(("application/json", b" " * 70_000), ("text/plain", b"x")), "65536"),
        (b"no boundary at all", "malformed"),
    ],
)
def test_a_broken_multipart_body_leaves_no_file(http: httpx.Client, body: bytes, told: str) -> None:
    before = http.get("/v1beta/files?pageSize=100").json()
    reply = post_related(http, body)
    assert reply.status_code == 400
    assert told in reply.json()["error"]["message"]
    assert http.get("/v1beta/files?pageSize=100").json() == before


@pytest.mark.parametrize("option", ["", "; boundary=" + "x" * 300])
def test_a_multipart_type_without_a_boundary_is_refused(http: httpx.Client, option: str) -> None:
    reply = post_related(http, b"x", **{"Content-Type": f"multipart/related{option}"})
    assert reply.status_code == 400
    assert "boundary" in reply.json()["error"]["message"].lower()


def test_a_raw_body_is_the_file(http: httpx.Client) -> None:
    reply = http.post(
        "/upload/v1/files",
        content=iter([BYTES, BYTES]),  # sent in pieces, without a length
        headers={
            "X-Goog-Upload-Protocol": "raw",
            "X-Goog-Upload-Header-Content-Type": "application/jsonl",
            "X-Goog-Upload-File-Name": "in.jsonl",
            "Content-Type": "application/octet-stream",
        },
    )
    file = reply.json()["file"]
    assert (file["displayName"], file["mimeType"]) == ("in.jsonl", "application/jsonl")
    assert file["uri"].endswith(f"/v1/{file['name']}")
    assert download(http, file["name"]) == BYTES * 2


def test_an_unknown_protocol_is_refused(http: httpx.Client) -> None:
    for headers in ({"X-Goog-Upload-Protocol": "pigeon"}, {}):
        reply = http.post("/upload/v1beta/files", content=b"x", headers=headers)
        assert reply.status_code == 400
        assert "upload protocol" in reply.json()["error"]["message"]


def test_a_file_without_bytes_is_sent_to_the_upload_api(http: httpx.Client) -> None:
    reply = http.post("/v1beta/files", json=METADATA)
    assert reply.status_code == 400
    assert "/upload/v1beta/files" in reply.json()["error"]["message"]


def test_what_arrives_in_one_call_needs_a_key(server: LocalServer) -> None:
    with http_of(server, key=None) as http:
        assert http.post("/upload/v1beta/files", content=b"x").status_code == 403
    with http_of(server) as http:
        assert upload_raw(http, b"x")["sizeBytes"] == "1"
