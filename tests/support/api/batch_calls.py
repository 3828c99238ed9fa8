"""Words for what the tests do with batches."""

import json
from collections.abc import Iterable
from typing import Any

import httpx2 as httpx
from google import genai
from google.genai import types

from support.waiting import eventually

FINAL = {"JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED", "JOB_STATE_EXPIRED"}


def asking(text: str) -> dict[str, Any]:
    return {"contents": [{"parts": [{"text": text}], "role": "user"}]}


def wait_until_final(client: genai.Client, name: str) -> types.BatchJob:
    def final() -> types.BatchJob | None:
        job = client.batches.get(name=name)
        return job if job.state is not None and job.state.name in FINAL else None

    return eventually(final)


def operation(http: httpx.Client, name: str) -> dict[str, Any]:
    reply = http.get(f"/v1beta/{name}")
    assert reply.status_code == 200, reply.text
    return reply.json()


def create_inline(http: httpx.Client, requests: list[dict[str, Any]]) -> dict[str, Any]:
    body = {"batch": {"inputConfig": {"requests": {"requests": requests}}}}
    reply = http.post("/v1beta/models/gemini-2.5-flash:batchGenerateContent", json=body)
    assert reply.status_code == 200, reply.text
    return reply.json()


def upload_lines(http: httpx.Client, lines: Iterable[bytes]) -> str:
    """Upload JSONL in one raw call; return the file's name."""
    reply = http.post(
        "/upload/v1beta/files",
        content=b"".join(line + b"\n" for line in lines),
        headers={"X-Goog-Upload-Protocol": "raw", "Content-Type": "application/jsonl"},
    )
    assert reply.status_code == 200, reply.text
    return reply.json()["file"]["name"]


def create_from_file(http: httpx.Client, file_name: str) -> httpx.Response:
    body = {"batch": {"inputConfig": {"fileName": file_name}}}
    return http.post("/v1beta/models/gemini-2.5-flash:batchGenerateContent", json=body)


def finish(http: httpx.Client, name: str) -> dict[str, Any]:
    """Return the operation once it is done."""

    def done() -> dict[str, Any] | None:
        found = operation(http, name)
        return found if found["done"] else None

    return eventually(done)


def result_lines(http: httpx.Client, done: dict[str, Any]) -> list[dict[str, Any]]:
    file_name = done["response"]["responsesFile"]
    reply = http.get(f"/download/v1beta/{file_name}:download?alt=media")
    assert reply.status_code == 200, reply.text
    return [json.loads(line) for line in reply.content.splitlines()]


def text_of(response: dict[str, Any]) -> str:
    return response["candidates"][0]["content"]["parts"][0]["text"]


def batch_of(request: Any) -> Any:
    return {"batch": {"inputConfig": {"requests": {"requests": [{"request": request}]}}}}
