"""A client that goes on working while its server is killed again and again.

It learns from a broken call only that it does not know what became of it.
"""

import http.client
import json
import random
import threading
from typing import Any

from support.chaos.witness import FINAL, Promise, Witness
from support.jobs import (
    KEY,
    greedy_question,
    json_lines,
    operation_of,
    question,
    send_chunk,
    start_upload,
)
from support.server import Server
from support.waiting import PATIENCE_SECONDS

UNFINISHED_MAX = 6
BROKEN = (OSError, http.client.HTTPException, json.JSONDecodeError)
MODELS = {"echo": "gemini-2.5-flash", "llama": "llama", "embedding": "minilm"}


class Client:
    """Makes batches, looks at them, cancels and deletes some, until it has to stop."""

    def __init__(self, server: Server, witness: Witness, up: threading.Event, seed: int) -> None:
        self._server = server
        self._witness = witness
        self._up = up  # set while the server is there to be called
        self._random = random.Random(seed)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._made = 0
        self.error: BaseException | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._up.set()
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive(), "the client hangs"
        if self.error is not None:
            raise self.error

    def _work(self) -> None:
        try:
            while not self._stopping.is_set():
                assert self._up.wait(PATIENCE_SECONDS), "the server did not come back"
                try:
                    self._act()
                except BROKEN:
                    # The storm's own thread clears the event a moment after the kill.
                    self._stopping.wait(0.05)
        except BaseException as error:  # noqa: BLE001  # raised again by the test
            self.error = error

    def _act(self) -> None:
        open_ones = [p for p in self._witness.of_name() if not FINAL & set(p.states[-1:])]
        if len(open_ones) < UNFINISHED_MAX:
            self._make()
        else:
            self._go_on_with(self._random.choice(open_ones))

    def _make(self) -> None:
        make = self._random.choices(
            [self._make_from_file, self._make_inline, self._make_llama, self._make_embedding],
            [4, 3, 1, 2],
        )[0]
        make()

    def _go_on_with(self, promise: Promise) -> None:
        dice = self._random.random()
        if dice < 0.05:
            self._cancel(promise)
        elif dice < 0.08:
            self._delete(promise)
        else:
            self._look_at(promise)

    def _make_from_file(self) -> None:
        promise = self._new_promise("echo", self._random.randint(20, 300))
        self._create(promise, {"fileName": self._upload(json_lines(_lines(promise)))})

    def _make_inline(self) -> None:
        self._create_inline(self._new_promise("echo", self._random.randint(1, 20)))

    def _make_llama(self) -> None:
        self._create_inline(self._new_promise("llama", self._random.randint(1, 4)))

    def _make_embedding(self) -> None:
        self._create_inline(self._new_promise("embedding", self._random.randint(1, 30)))

    def _new_promise(self, kind: str, count: int) -> Promise:
        self._made += 1
        promise = Promise(
            title=f"{kind}-{self._made}",
            kind=kind,
            keys=[f"request-{index}" for index in range(count)],
            texts=[f"Batch {self._made} says {index}." for index in range(count)],
        )
        self._witness.add(promise)
        return promise

    def _create_inline(self, promise: Promise) -> None:
        entries = [
            {"request": line["request"], "metadata": {"key": line["key"]}}
            for line in _lines(promise)
        ]
        self._create(promise, {"requests": {"requests": entries}})

    def _create(self, promise: Promise, source: dict[str, Any]) -> None:
        method = "asyncBatchEmbedContent" if promise.kind == "embedding" else "batchGenerateContent"
        body = {"batch": {"displayName": promise.title, "inputConfig": source}}
        path = f"/v1beta/models/{MODELS[promise.kind]}:{method}"
        reply = self._server.call("POST", path, body)
        assert reply.status == 200, reply.body
        promise.name = reply.json()["name"]

    def _upload(self, content: bytes) -> str:
        """Upload in pieces; after a break ask how far it has come, as SDKs of this protocol do."""
        session = start_upload(self._server, len(content), key=KEY)
        cut = self._random.randint(0, len(content))
        offset = 0
        while True:
            end = cut if offset < cut else len(content)
            command = "upload, finalize" if end == len(content) else "upload"
            try:
                reply = send_chunk(self._server, session, offset, content[offset:end], command)
            except BROKEN:
                assert self._up.wait(PATIENCE_SECONDS), "the server did not come back"
                reply = send_chunk(self._server, session, 0, b"", "query")
            assert reply.status == 200, reply.body
            if reply.headers["x-goog-upload-status"] == "final":
                file = reply.json()["file"]
                assert file["sizeBytes"] == str(len(content)), file
                return str(file["name"])
            offset = int(reply.headers["x-goog-upload-size-received"])

    def _cancel(self, promise: Promise) -> None:
        promise.cancel_asked = True
        reply = self._server.call("POST", f"/v1beta/{promise.name}:cancel", {})
        assert reply.status == 200, reply.body
        promise.cancelled = True

    def _delete(self, promise: Promise) -> None:
        promise.delete_asked = True
        reply = self._server.call("DELETE", f"/v1beta/{promise.name}")
        assert reply.status == 200, reply.body
        promise.deleted = True
        promise.states.append("JOB_STATE_CANCELLED")  # gone: nobody asks for it any more

    def _look_at(self, promise: Promise) -> None:
        assert promise.name is not None
        if not promise.delete_asked:
            state = operation_of(self._server, promise.name)["metadata"]["state"]
            self._witness.see(promise, state)


def _lines(promise: Promise) -> list[dict[str, Any]]:
    if promise.kind == "embedding":
        return [
            {"key": key, "request": {"content": {"parts": [{"text": text}]}}}
            for key, text in zip(promise.keys, promise.texts, strict=True)
        ]
    line_of = greedy_question if promise.kind == "llama" else question
    return [line_of(index, text) for index, text in enumerate(promise.texts)]
