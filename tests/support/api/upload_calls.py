"""Words for what the tests do with uploads and files."""

from typing import Any

import httpx2 as httpx

STATUS = "X-Goog-Upload-Status"
SIZE_RECEIVED = "X-Goog-Upload-Size-Received"


def begin(
    http: httpx.Client,
    size_bytes: int | None = None,
    file: dict[str, Any] | None = None,
    *,
    version: str = "v1beta",
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    """Start a resumable upload."""
    sent = {"X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "start"}
    if size_bytes is not None:
        sent["X-Goog-Upload-Header-Content-Length"] = str(size_bytes)
    return http.post(
        f"/upload/{version}/files",
        json={"file": file} if file is not None else {},
        headers=sent | (headers or {}),
    )


def begin_upload(
    http: httpx.Client, size_bytes: int | None = None, file: dict[str, Any] | None = None
) -> str:
    """Start a resumable upload and return the URL of its session."""
    reply = begin(http, size_bytes, file)
    assert reply.status_code == 200, reply.text
    return reply.headers["X-Goog-Upload-URL"]


def send(
    client: httpx.Client,
    url: str,
    command: str,
    content: bytes = b"",
    *,
    offset: int | None = None,
    method: str = "POST",
) -> httpx.Response:
    """Go on with an upload; the content type is what one SDK puts on every chunk."""
    headers = {"X-Goog-Upload-Command": command, "Content-Type": "application/json"}
    if offset is not None:
        headers["X-Goog-Upload-Offset"] = str(offset)
    return client.request(method, url, content=content, headers=headers)


def upload_raw(http: httpx.Client, content: bytes, mime_type: str = "text/plain") -> dict[str, Any]:
    """Upload in one call and return the File."""
    reply = http.post(
        "/upload/v1beta/files",
        content=content,
        headers={"X-Goog-Upload-Protocol": "raw", "Content-Type": mime_type},
    )
    assert reply.status_code == 200, reply.text
    return reply.json()["file"]


def download(http: httpx.Client, name: str) -> bytes:
    reply = http.get(f"/v1beta/{name}:download?alt=media")
    assert reply.status_code == 200, reply.text
    return reply.content


def assert_refused_for_good(reply: httpx.Response, http_status: int, status: str) -> None:
    """Check an error that no SDK takes for a chunk to send again."""
    assert reply.status_code == http_status, reply.text
    assert reply.headers[STATUS] == "final"
    error = reply.json()["error"]
    assert (error["code"], error["status"]) == (http_status, status)
