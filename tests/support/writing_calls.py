"""A call of every kind that writes, on things that were made while the disk had space."""

from collections.abc import Callable
from typing import Any

from support.jobs import (
    create_job,
    finished_job,
    json_lines,
    question,
    send_chunk,
    start_upload,
    upload,
)
from support.model_tables import model_table
from support.server import Reply, Server
from toplu.settings.server import EchoSettings, ModelSettings

FLASH = "/v1beta/models/gemini-2.5-flash"
ECHO = ModelSettings(
    name="echo",
    aliases=("gemini-*", "!*embedding*"),
    engine="echo",
    echo=EchoSettings(fail_pattern="please fail"),
)
EMBEDDER = ModelSettings(
    name="embedder", aliases=("gemini-embedding-*",), engine="echo_embedder", dimensions=8
)
SLOW = ModelSettings(name="slow", engine="echo", echo=EchoSettings(delay_seconds=3600))
CONFIG = model_table(ECHO) + model_table(EMBEDDER) + model_table(SLOW)
CONTENT = json_lines([question(index) for index in range(4)])

Call = Callable[[], Reply]


def saying(text: str, **fields: Any) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": [{"text": text}]}]} | fields


class WritingCalls:
    """Every kind of call that writes, each on things that were made while there was space."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._file = upload(server, CONTENT)
        failing = create_job(server, [question(0), question(1, "please fail")])
        finished_job(server, failing)
        self._failing = failing
        self.half = start_upload(server, len(CONTENT))
        assert send_chunk(server, self.half, 0, CONTENT[:100], "upload").status == 200
        self.whole = start_upload(server, len(CONTENT))
        assert send_chunk(server, self.whole, 0, CONTENT, "upload").status == 200
        self._cache = self._made("/v1beta/cachedContents", self._cache_body())
        inline = _batch({"requests": {"requests": [{"request": saying("Hello.")}]}})
        self._slow = self._made("/v1beta/models/slow:batchGenerateContent", inline)
        self._other_file = upload(server, CONTENT)
        self._other_job = create_job(server, [question(0)])
        finished_job(server, self._other_job)

    def all(self) -> dict[str, Call]:
        """Return the calls by what they do, those last that undo what others need."""
        post, delete, patch = self._post, self._delete, self._patch
        inline = {"requests": {"requests": [{"request": saying("Hello.")}]}}
        embedding = {"requests": {"requests": [{"request": {"content": self._content()}}]}}
        embed = "/v1beta/models/gemini-embedding-001"
        expiry = {"ttl": "7200s"}
        return {
            "start of an upload": self._start,
            "chunk": lambda: send_chunk(self._server, self.half, 100, CONTENT[100:], "upload"),
            "finalize": lambda: send_chunk(self._server, self.whole, 0, b"", "finalize"),
            "raw upload": lambda: self._raw(CONTENT),
            "create inline": post(f"{FLASH}:batchGenerateContent", _batch(inline)),
            "create": post(f"{FLASH}:batchGenerateContent", _batch({"fileName": self._file})),
            "create embeddings": post(f"{embed}:asyncBatchEmbedContent", _batch(embedding)),
            "retry": post(f"/v1beta/{self._failing}:retry", {}),
            "update": patch(f"/v1beta/{self._slow}:updateGenerateContentBatch", "new name"),
            "cancel": post(f"/v1beta/{self._slow}:cancel", {}),
            "cache": post("/v1beta/cachedContents", self._cache_body()),
            "expiry": lambda: self._server.call("PATCH", f"/v1beta/{self._cache}", expiry),
            "generate": post(f"{FLASH}:generateContent", saying("Hello.")),
            "stream": post(f"{FLASH}:streamGenerateContent", saying("Hello.")),
            "embed": post(f"{embed}:embedContent", {"content": self._content()}),
            "delete a cache": delete(self._cache),
            "delete a file": delete(self._other_file),
            "delete a batch": delete(self._other_job),
        }

    def _made(self, path: str, body: Any) -> str:
        reply = self._server.call("POST", path, body)
        assert reply.status == 200, reply.body
        return str(reply.json()["name"])

    def _post(self, path: str, body: Any) -> Call:
        return lambda: self._server.call("POST", path, body)

    def _delete(self, name: str) -> Call:
        return lambda: self._server.call("DELETE", f"/v1beta/{name}")

    def _patch(self, path: str, name: str) -> Call:
        return lambda: self._server.call("PATCH", path, {"displayName": name})

    def _start(self) -> Reply:
        headers = {"X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "start"}
        return self._server.call("POST", "/upload/v1beta/files", {}, headers=headers)

    def _raw(self, content: bytes) -> Reply:
        headers = {"X-Goog-Upload-Protocol": "raw", "Content-Type": "text/plain"}
        return self._server.call("POST", "/upload/v1beta/files", content, headers=headers)

    @staticmethod
    def _content() -> dict[str, Any]:
        return {"parts": [{"text": "Hello."}]}

    @staticmethod
    def _cache_body() -> dict[str, Any]:
        return saying(" ".join(["word"] * 40), model="models/gemini-2.5-flash")


def _batch(input_config: dict[str, Any]) -> dict[str, Any]:
    return {"batch": {"displayName": "job", "inputConfig": input_config}}
