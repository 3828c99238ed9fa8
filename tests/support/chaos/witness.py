"""Remembers the promises to the clients of a storm, and checks that each was kept."""

import threading
from dataclasses import dataclass, field
from typing import Any

from support.jobs import operation_of, results_of
from support.server import Server
from support.waiting import PATIENCE_SECONDS

FINAL = {"JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED", "JOB_STATE_EXPIRED"}
SUCCEEDED, CANCELLED = "JOB_STATE_SUCCEEDED", "JOB_STATE_CANCELLED"


@dataclass(slots=True)
class Promise:
    """One batch as its client knows it: the calls that got a 200, and the answers to them."""

    title: str  # the display name, which also finds a batch whose create call broke off
    kind: str  # echo, llama or embedding
    keys: list[str]
    texts: list[str]
    name: str | None = None  # None: the create call broke off, so the batch may or may not be
    cancel_asked: bool = False
    cancelled: bool = False  # the server has said so
    delete_asked: bool = False
    deleted: bool = False
    paused: bool = False  # or it may be: the call broke off
    merges: bool = False  # it took up another one, whose tokens that one has
    taken_up: bool = False
    states: list[str] = field(default_factory=list)  # as they were told, in order


class Witness:
    """Keeps the promises of all clients of a storm."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._promises: list[Promise] = []

    def add(self, promise: Promise) -> None:
        with self._lock:
            self._promises.append(promise)

    def of_name(self) -> list[Promise]:
        """Return the batches that are known to have been accepted."""
        with self._lock:
            return [promise for promise in self._promises if promise.name is not None]

    def see(self, promise: Promise, state: str) -> None:
        """Note a state; a final one never changes."""
        with self._lock:
            before = promise.states[-1:] or ["JOB_STATE_PENDING"]
            assert before[0] not in FINAL or before[0] == state, (promise, state)
            assert not (before[0] != "JOB_STATE_PENDING" and state == "JOB_STATE_PENDING"), promise
            if promise.states[-1:] != [state]:
                promise.states.append(state)

    def check(self, server: Server) -> None:
        """Wait until every batch has ended, and hold each against its promise."""
        with self._lock:
            promises = list(self._promises)
        titles = {promise.title: promise for promise in promises}
        listed = _all_operations(server)
        for operation in listed:
            promise = titles.pop(operation["metadata"]["displayName"], None)
            assert promise is not None, f"nobody asked for {operation}"
            assert promise.name in (None, operation["name"]), "one call made two batches"
            assert not promise.deleted, f"{promise.title} is back"
            promise.name = operation["name"]
        for promise in titles.values():
            assert promise.name is None or promise.delete_asked, f"{promise.title} is lost"
        for promise in promises:
            if promise.title not in titles:
                self._check_batch(server, promise)

    def _check_batch(self, server: Server, promise: Promise) -> None:
        name = promise.name
        assert name is not None
        server.wait_until(
            lambda: operation_of(server, name)["done"], PATIENCE_SECONDS, f"{name} to be done"
        )
        operation = operation_of(server, name)
        state = operation["metadata"]["state"]
        self.see(promise, state)
        if promise.cancelled:
            assert state in (CANCELLED, SUCCEEDED), operation
        elif not promise.cancel_asked:
            assert state == SUCCEEDED, operation
        receipt = server.call("GET", f"/v1beta/{name}:receipt").json()
        assert receipt["balances"], receipt
        if state != SUCCEEDED:
            return
        stats = operation["metadata"]["batchStats"]
        count = str(len(promise.keys))
        assert stats == {"requestCount": count, "successfulRequestCount": count}, stats
        results = results_of(server, name)
        assert [result.get("key") for result in results] == promise.keys
        for result, text in zip(results, promise.texts, strict=True):
            _check_answer(promise.kind, result["response"], text)
        if promise.kind != "embedding" and not promise.merges:
            _check_usage(operation["metadata"]["toplu"]["usage"], results)


def _check_answer(kind: str, response: dict[str, Any], text: str) -> None:
    if kind == "embedding":
        assert len(response["embedding"]["values"]) == 384
        return
    (part,) = response["candidates"][0]["content"]["parts"]
    if kind == "echo":
        assert part["text"] == text
    else:
        assert part["text"].strip()


def _check_usage(told: dict[str, str], results: list[dict[str, Any]]) -> None:
    """The batch's sums are those of its results, so nothing was counted twice or not at all."""
    usages = [result["response"]["usageMetadata"] for result in results]
    assert int(told["promptTokenCount"]) == sum(usage["promptTokenCount"] for usage in usages)
    assert int(told["outputTokenCount"]) == sum(usage["candidatesTokenCount"] for usage in usages)


def _all_operations(server: Server) -> list[dict[str, Any]]:
    operations: list[dict[str, Any]] = []
    token = ""
    while True:
        page = server.call("GET", f"/v1beta/batches?pageSize=100&pageToken={token}").json()
        operations += page.get("operations", [])
        token = page.get("nextPageToken", "")
        if not token:
            return operations
