"""Streamed calls, as a client makes them that looks at the clock whenever a text comes."""

import http.client
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import job_arms

STREAM = "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"

# Takes a line of an input and how long it may take; returns when the call began and when each text
# came, and the tokens of the answer.
Call = Callable[[dict[str, Any], float], tuple[list[float], int]]


def gemini_call(port: int, line: dict[str, Any], seconds_max: float) -> tuple[list[float], int]:
    """Ask a toplu server."""
    headers = {"x-goog-api-key": "any", "Content-Type": "application/json"}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds_max)
    times, last = _listen(connection, STREAM, json.dumps(line["request"]).encode(), headers)
    return times, last["usageMetadata"]["candidatesTokenCount"]


def openai_call(
    address: str, line: dict[str, Any], seconds_max: float, *, model: str | None = None
) -> tuple[list[float], int]:
    """Ask an OpenAI-compatible server."""
    body = job_arms.body(line) | {"stream": True, "stream_options": {"include_usage": True}}
    body |= {} if model is None else {"model": model}
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=seconds_max)
    headers = {"Content-Type": "application/json"}
    content = json.dumps(body).encode()
    times, last = _listen(connection, "/v1/chat/completions", content, headers)
    return times, last["usage"]["completion_tokens"]


def _listen(
    connection: http.client.HTTPConnection, path: str, body: bytes, headers: dict[str, str]
) -> tuple[list[float], dict[str, Any]]:
    """Return the times and the last event, which has what was used."""
    times = [time.perf_counter()]
    connection.request("POST", path, body, headers)
    answer = connection.getresponse()
    assert answer.status == http.HTTPStatus.OK, answer.read()
    last: dict[str, Any] = {}
    for event in answer:
        if not event.startswith(b"data: {"):
            continue
        last = json.loads(event.removeprefix(b"data: "))
        # Of OpenAI's events the first has the role and the last ones have no text.
        choices = last.get("choices")
        if choices is None or any(choice["delta"].get("content") for choice in choices):
            times.append(time.perf_counter())
    connection.close()
    return times, last
