"""Makes batches over plain HTTP, as cheaply as a client can."""

import json
import time
from typing import Any

from support.server import Server

DONE_SECONDS_MAX = 900


GENERATE = "models/gemini-2.5-flash:batchGenerateContent"
EMBED = "models/gemini-embedding-001:asyncBatchEmbedContent"


def create_batch(server: Server, lines: list[dict[str, Any]], method: str = GENERATE) -> str:
    """Upload the lines and return the name of a batch of them."""
    content = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    headers = {"X-Goog-Upload-Protocol": "raw", "Content-Type": "application/jsonl"}
    uploaded = server.call("POST", "/upload/v1beta/files", content, headers=headers)
    assert uploaded.status == 200, uploaded.body
    body = {"batch": {"inputConfig": {"fileName": uploaded.json()["file"]["name"]}}}
    created = server.call("POST", f"/v1beta/{method}", body)
    assert created.status == 200, created.body
    return str(created.json()["name"])


def wait_until_done(server: Server, name: str, *, poll_seconds: float) -> dict[str, Any]:
    """Return the operation of the batch, which must succeed."""
    deadline = time.monotonic() + DONE_SECONDS_MAX
    while time.monotonic() < deadline:
        operation: dict[str, Any] = server.call("GET", f"/v1beta/{name}").json()
        if operation["done"]:
            assert operation["metadata"]["state"] == "JOB_STATE_SUCCEEDED", operation
            return operation
        time.sleep(poll_seconds)
    raise AssertionError(f"{name} was not done after {DONE_SECONDS_MAX} seconds")
