"""Batches of OpenAI's API in tests: lines, uploads, and waiting for an end."""

import json
import time
from collections.abc import Iterable, Sequence
from typing import Any

from support.api.openai_calls import CHAT_MODEL, EMBEDDING_MODEL, user
from support.waiting import PATIENCE_SECONDS

CHAT, EMBEDDINGS = "/v1/chat/completions", "/v1/embeddings"
FINAL = {"completed", "failed", "expired", "cancelled"}
POLL_SECONDS = 0.02


def chat_line(custom_id: str, text: str, *, after: Any = None, **fields: Any) -> str:
    body = {"model": CHAT_MODEL, "messages": user(text)} | fields
    return a_line(custom_id, CHAT, body, **({} if after is None else {"after": after}))


def embedding_line(custom_id: str, given: str | Sequence[str], **fields: Any) -> str:
    return a_line(custom_id, EMBEDDINGS, {"model": EMBEDDING_MODEL, "input": given} | fields)


def a_line(custom_id: str, url: str, body: Any, **more: Any) -> str:
    line = {"custom_id": custom_id, "method": "POST", "url": url, "body": body}
    return json.dumps(line | more)


def upload(sdk: Any, lines: Iterable[str]) -> str:
    content = "\n".join(lines).encode()
    return str(sdk.files.create(file=("input.jsonl", content), purpose="batch").id)


def create(sdk: Any, lines: Iterable[str], endpoint: str = CHAT, **fields: Any) -> Any:
    return sdk.batches.create(
        input_file_id=upload(sdk, lines), endpoint=endpoint, completion_window="24h", **fields
    )


def finish(sdk: Any, batch: Any) -> Any:
    """Return the batch once it has ended."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while batch.status not in FINAL:
        assert time.monotonic() < deadline, batch
        time.sleep(POLL_SECONDS)
        batch = sdk.batches.retrieve(batch.id)
    return batch


def lines_of(sdk: Any, file_id: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in sdk.files.content(file_id).text.splitlines()]
