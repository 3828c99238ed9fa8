"""Batches as the process tests make them, over plain HTTP, and what has to be true of them."""

import json
from typing import Any

from support.server import Reply, Server
from support.waiting import PATIENCE_SECONDS

KEY = "any-key"


def question(index: int, text: str = "", **generation: Any) -> dict[str, Any]:
    """Return one line of an input file."""
    contents = [{"role": "user", "parts": [{"text": text or f"This is question {index}."}]}]
    request: dict[str, Any] = {"contents": contents}
    if generation:
        request["generationConfig"] = generation
    return {"key": f"request-{index}", "request": request}


def greedy_question(index: int, text: str, **generation: Any) -> dict[str, Any]:
    """Return a line that chance does not answer, so not with nothing, and that is like no other."""
    return question(index, text, temperature=0, seed=index, **generation)


def json_lines(lines: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def start_upload(server: Server, size: int, *, key: str = KEY) -> str:
    """Begin a resumable upload; return the path of its session."""
    headers = {
        "X-Goog-Upload-Protocol": "resumable",
        "X-Goog-Upload-Command": "start",
        "X-Goog-Upload-Header-Content-Length": str(size),
        "X-Goog-Upload-Header-Content-Type": "jsonl",
    }
    metadata = {"file": {"displayName": "requests"}}
    reply = server.call("POST", "/upload/v1beta/files", metadata, key=key, headers=headers)
    assert reply.status == 200, reply.body
    url = reply.headers["x-goog-upload-url"]
    assert url.startswith(server.url), url
    return url.removeprefix(server.url)


def send_chunk(server: Server, session: str, offset: int, chunk: bytes, command: str) -> Reply:
    headers = {"X-Goog-Upload-Command": command, "X-Goog-Upload-Offset": str(offset)}
    return server.call("POST", session, chunk, headers=headers)


def upload(server: Server, content: bytes, *, key: str = KEY) -> str:
    """Return the name of the uploaded file."""
    session = start_upload(server, len(content), key=key)
    reply = send_chunk(server, session, 0, content, "upload, finalize")
    assert reply.status == 200, reply.body
    return str(reply.json()["file"]["name"])


def create_job(server: Server, lines: list[dict[str, Any]], *, key: str = KEY) -> str:
    """Return the name of a batch whose input is a file with these lines."""
    return create_job_from(server, upload(server, json_lines(lines), key=key), key=key)


def create_job_from(server: Server, file_name: str, *, key: str = KEY) -> str:
    batch = {"displayName": "job", "inputConfig": {"fileName": file_name}}
    path = "/v1beta/models/gemini-2.5-flash:batchGenerateContent"
    reply = server.call("POST", path, {"batch": batch}, key=key)
    assert reply.status == 200, reply.body
    return str(reply.json()["name"])


def operation_of(server: Server, name: str, *, key: str = KEY) -> dict[str, Any]:
    reply = server.call("GET", f"/v1beta/{name}", key=key)
    assert reply.status == 200, reply.body
    operation: dict[str, Any] = reply.json()
    return operation


def finished_job(
    server: Server, name: str, *, key: str = KEY, seconds: float = PATIENCE_SECONDS
) -> dict[str, Any]:
    """Return the operation once it is done."""
    server.wait_until(
        lambda: operation_of(server, name, key=key)["done"], seconds, f"{name} to be done"
    )
    return operation_of(server, name, key=key)


def results_of(server: Server, name: str, *, key: str = KEY) -> list[dict[str, Any]]:
    """Return the results of a batch that succeeds, inline ones with their key as in a file."""
    operation = finished_job(server, name, key=key)
    assert operation["metadata"]["state"] == "JOB_STATE_SUCCEEDED", operation
    if "inlinedResponses" in operation["response"]:
        return [
            {"key": result["metadata"]["key"]} | result
            for result in operation["response"]["inlinedResponses"]["inlinedResponses"]
        ]
    path = f"/v1beta/{operation['response']['responsesFile']}:download?alt=media"
    reply = server.call("GET", path, key=key)
    assert reply.status == 200, reply.body
    return [json.loads(line) for line in reply.body.splitlines()]


def check_every_request_has_one_outcome(results: list[dict[str, Any]], count: int) -> None:
    """Results stand in input order, each with its key and either a response or an error."""
    assert [result["key"] for result in results] == [f"request-{index}" for index in range(count)]
    assert all(("response" in result) != ("error" in result) for result in results)


def text_of(result: dict[str, Any]) -> str:
    parts = result["response"]["candidates"][0]["content"]["parts"]
    return "".join(part["text"] for part in parts)


def executions(server: Server, name: str) -> list[int]:
    """Return the index of every request that was started, once for each start."""
    job = name.removeprefix("batches/")
    return [event["index"] for event in server.events("request_started", job=job)]


def wait_for_answers(server: Server, name: str, count: int) -> None:
    """Return once the log has `count` answers, over all runs of the server."""
    job = name.removeprefix("batches/")
    server.wait_until(
        lambda: len(server.events("request_finished", job=job)) >= count,
        PATIENCE_SECONDS,
        f"{count} answers",
    )
