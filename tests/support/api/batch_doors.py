"""Batches by either API: the same words for what tests do with them and read of them."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2 as httpx

from support.api.batch_calls import (
    asking,
    create_from_file,
    operation,
    result_lines,
    text_of,
    upload_lines,
)
from support.api.local_server import LocalServer, http_of
from support.api.openai_batches import chat_line
from support.api.openai_calls import openai_http
from support.waiting import eventually

CHAT = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one line."""

    key: str
    text: str | None  # of the answer; None: the line failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A batch as its client sees it, in the words of this file."""

    state: str  # unfinished, succeeded, cancelled or expired
    total: int
    succeeded: int
    failed: int
    tokens: int
    cost: str
    deduplicated: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """A batch as a dry run describes it."""

    total: int
    faulty: list[str]  # keys of the lines
    duplicates: int
    prompt_tokens: int
    cost: tuple[float, float]


class Door(ABC):
    """One API, by raw HTTP. A batch is named as that API names it."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    @abstractmethod
    def create(self, texts: Sequence[str], **fields: Any) -> httpx.Response:
        """Make a batch of a file with a line for each text; its keys are `k0`, `k1` and so on."""

    @abstractmethod
    def foresee(self, texts: Sequence[str], **fields: Any) -> Foreseen:
        """Return what such a batch would be."""

    @abstractmethod
    def name_of(self, made: httpx.Response) -> str:
        """Return the name of a batch that was made."""

    @abstractmethod
    def look(self, name: str) -> Seen:
        """Return the batch as it stands."""

    @abstractmethod
    def call(self, name: str, what: str, method: str = "GET") -> httpx.Response:
        """Make a call on a batch: `results`, `receipt`, `retry` or `cancel`."""

    @abstractmethod
    def outcome_of(self, line: dict[str, Any]) -> Outcome:
        """Return the outcome that a line of results says."""

    @abstractmethod
    def outcomes(self, name: str) -> list[Outcome]:
        """Return those of a batch that has ended, from its files."""

    @abstractmethod
    def job_of(self, name: str) -> str:
        """Return the id of the job of a batch."""

    def made(self, texts: Sequence[str], **fields: Any) -> str:
        """Return the name of a new batch."""
        made = self.create(texts, **fields)
        assert made.status_code == 200, made.text
        return self.name_of(made)

    def finish(self, name: str) -> Seen:
        """Return the batch once it has ended."""

        def ended() -> Seen | None:
            seen = self.look(name)
            return None if seen.state == "unfinished" else seen

        return eventually(ended)

    def results(self, name: str) -> tuple[bool, list[Outcome]]:
        """Return whether the results so far are all, and their outcomes."""
        reply = self.call(name, "results")
        assert reply.status_code == 200, reply.text
        lines = [self.outcome_of(json.loads(line)) for line in reply.content.splitlines()]
        assert reply.headers["X-Toplu-Result-Count"] == str(len(lines))
        return reply.headers["X-Toplu-Complete"] == "true", lines


class GeminiDoor(Door):
    """Google's."""

    def create(self, texts: Sequence[str], **fields: Any) -> httpx.Response:
        return create_from_file(self.http, self._upload(texts, fields))

    def foresee(self, texts: Sequence[str], **fields: Any) -> Foreseen:
        body = {"batch": {"inputConfig": {"fileName": self._upload(texts, fields)}}}
        path = "/v1beta/models/gemini-2.5-flash:batchGenerateContent?validateOnly=true"
        found = ok(self.http.post(path, json=body))
        cost = found["expectedCost"]
        return Foreseen(
            total=int(found["requestCount"]),
            faulty=[line["key"] for line in found.get("faultyLines", [])],
            duplicates=int(found["duplicateRequestCount"]),
            prompt_tokens=int(found["promptTokens"]["tokenCount"]),
            cost=(float(cost["lowest"]["amount"]), float(cost["highest"]["amount"])),
        )

    def _upload(self, texts: Sequence[str], fields: dict[str, Any]) -> str:
        config = {"generationConfig": fields} if fields else {}
        lines = [{"key": f"k{n}", "request": asking(text) | config} for n, text in enumerate(texts)]
        return upload_lines(self.http, [json.dumps(line).encode() for line in lines])

    def name_of(self, made: httpx.Response) -> str:
        return str(made.json()["name"])

    def look(self, name: str) -> Seen:
        found = operation(self.http, name)["metadata"]
        counts, ours = found.get("batchStats", {}), found["toplu"]
        state = found["state"].removeprefix("JOB_STATE_").lower()
        usage = ours["usage"]
        return Seen(
            state="unfinished" if state in {"pending", "running"} else state,
            total=int(counts.get("requestCount", 0)),
            succeeded=int(counts.get("successfulRequestCount", 0)),
            failed=int(counts.get("failedRequestCount", 0)),
            tokens=int(usage["promptTokenCount"]) + int(usage["outputTokenCount"]),
            cost=ours["cost"]["amount"],
            deduplicated=int(ours.get("deduplicatedRequestCount", 0)),
        )

    def call(self, name: str, what: str, method: str = "GET") -> httpx.Response:
        return self.http.request(method, f"/v1beta/{name}:{what}")

    def outcome_of(self, line: dict[str, Any]) -> Outcome:
        response = line.get("response")
        return Outcome(line["key"], None if response is None else text_of(response))

    def outcomes(self, name: str) -> list[Outcome]:
        done = operation(self.http, name)
        return [self.outcome_of(line) for line in result_lines(self.http, done)]

    def job_of(self, name: str) -> str:
        return name.removeprefix("batches/")


class OpenaiDoor(Door):
    """OpenAI's."""

    def create(self, texts: Sequence[str], **fields: Any) -> httpx.Response:
        return self.http.post("/batches", json=self._body(texts, fields))

    def foresee(self, texts: Sequence[str], **fields: Any) -> Foreseen:
        reply = self.http.post(
            "/batches", params={"validate_only": "true"}, json=self._body(texts, fields)
        )
        found = ok(reply)
        counts, cost = found["request_counts"], found["expected_cost"]
        return Foreseen(
            total=counts["total"],
            faulty=[line["custom_id"] for line in found["faulty_lines"]],
            duplicates=counts["duplicate"],
            prompt_tokens=sum(each["input_tokens"]["token_count"] for each in found["models"]),
            cost=(float(cost["lowest"]), float(cost["highest"])),
        )

    def _body(self, texts: Sequence[str], fields: dict[str, Any]) -> dict[str, Any]:
        content = "\n".join(chat_line(f"k{n}", text, **fields) for n, text in enumerate(texts))
        file = {"file": ("input.jsonl", content.encode())}
        kept = ok(self.http.post("/files", files=file, data={"purpose": "batch"}))
        return {"input_file_id": kept["id"], "endpoint": CHAT, "completion_window": "24h"}

    def name_of(self, made: httpx.Response) -> str:
        return str(made.json()["id"])

    def look(self, name: str) -> Seen:
        found = self.http.get(f"/batches/{name}").json()
        counts, ours, state = found["request_counts"], found["toplu"], found["status"]
        unfinished = {"validating", "in_progress", "finalizing"}
        return Seen(
            state={"completed": "succeeded"}.get(state, state)
            if state not in unfinished
            else "unfinished",
            total=counts["total"],
            succeeded=counts["completed"],
            failed=counts["failed"],
            tokens=found["usage"]["total_tokens"],
            cost=ours["cost"]["amount"],
            deduplicated=ours["deduplicated"],
        )

    def call(self, name: str, what: str, method: str = "GET") -> httpx.Response:
        return self.http.request(method, f"/batches/{name}/{what}")

    def outcome_of(self, line: dict[str, Any]) -> Outcome:
        response = line["response"]
        if response is None or response["status_code"] != 200:
            return Outcome(line["custom_id"], None)
        return Outcome(line["custom_id"], response["body"]["choices"][0]["message"]["content"])

    def outcomes(self, name: str) -> list[Outcome]:
        found = self.http.get(f"/batches/{name}").json()
        outcomes = []
        for file in (found.get("output_file_id"), found.get("error_file_id")):
            if file is not None:
                content = self.http.get(f"/files/{file}/content").content
                outcomes += [self.outcome_of(json.loads(line)) for line in content.splitlines()]
        return outcomes

    def job_of(self, name: str) -> str:
        return name.removeprefix("batch_")


def ok(reply: httpx.Response) -> dict[str, Any]:
    assert reply.status_code == 200, reply.text
    body: dict[str, Any] = reply.json()
    return body


DOORS = ("gemini", "openai")


@contextmanager
def door_of(server: LocalServer, api: str) -> Iterator[Door]:
    """Give the door of an API, by its name."""
    if api == "gemini":
        with http_of(server) as http:
            yield GeminiDoor(http)
    else:
        with openai_http(server) as http:
            yield OpenaiDoor(http)
