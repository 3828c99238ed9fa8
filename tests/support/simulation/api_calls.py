"""Calls of the API at the application itself: no socket, and no time but the loop's."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp

GENERATE = "/v1beta/models/gemini-2.5-flash:generateContent"
CREATE = "/v1beta/models/gemini-2.5-flash:batchGenerateContent"


class Refused(Exception):
    """The reply is not 200."""


@dataclass(frozen=True)
class ProjectApi:
    """The API as one project finds it."""

    app: ASGIApp
    key: str

    async def call(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Any:
        """Return what the reply says; Refused if it is not 200."""
        given = {"host": "here", "x-goog-api-key": self.key, **(headers or {})}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
            "client": ("127.0.0.1", 1),
            "server": ("here", 80),
        }
        sent: list[dict[str, Any]] = []

        bodies = [body]

        async def receive() -> dict[str, Any]:
            if not bodies:
                await asyncio.Event().wait()  # the client stays
            return {"type": "http.request", "body": bodies.pop(), "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        said = b"".join(message.get("body", b"") for message in sent)
        if sent[0]["status"] != 200:
            raise Refused(f"{method} {path}: {sent[0]['status']} {said!r}")
        return json.loads(said or b"null")

    async def upload(self, content: bytes) -> str:
        """Return the name of the file."""
        headers = {"x-goog-upload-protocol": "raw", "content-type": "application/jsonl"}
        reply = await self.call("POST", "/upload/v1beta/files", content, headers)
        return str(reply["file"]["name"])

    async def create(self, config: dict[str, Any], priority: int = 0, reuse: str = "never") -> str:
        """Return the id of a batch with this input."""
        batch = {"displayName": "job", "inputConfig": config, "priority": priority}
        headers = {"x-toplu-reuse": reuse}
        reply = await self.call("POST", CREATE, json.dumps({"batch": batch}).encode(), headers)
        return str(reply["name"]).removeprefix("batches/")

    async def ask(self, text: str) -> str:
        """Return the answer to an interactive call."""
        contents = [{"role": "user", "parts": [{"text": text}]}]
        reply = await self.call("POST", GENERATE, json.dumps({"contents": contents}).encode())
        return str(reply["candidates"][0]["content"]["parts"][0]["text"])
