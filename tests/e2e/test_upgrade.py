"""A data folder of an older version under today's server: all is there, and its work goes on."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.jobs import (
    check_every_request_has_one_outcome,
    create_job_from,
    executions,
    results_of,
    send_chunk,
    text_of,
)
from support.server import TOPLU, Server
from support.store.kept_folders import ARCHIVES, KeptFolder

pytestmark = pytest.mark.system

FLASH = "/v1beta/models/gemini-2.5-flash:generateContent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An older data folder and today's server on it."""

    server: Server
    facts: dict[str, Any]

    @property
    def key(self) -> str:
        return str(self.facts["key"])

    def toplu(self, *words: str) -> str:
        data = self.server.data_dir
        command = [TOPLU, *words, "--data-dir", data, "--config", data.with_name("data.toml")]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module", params=ARCHIVES, ids=lambda path: path.name)
def opened(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Opened]:
    kept = KeptFolder.unpack(request.param, tmp_path_factory.mktemp("older"))
    with Server(kept.data_dir, {"log_level": "debug"}, kept.config) as server:
        yield Opened(server=server.start(), facts=kept.facts)


def is_within(expected: Any, found: Any) -> bool:
    """Return whether all that is expected was found; messages may have further fields."""
    if isinstance(expected, dict):
        return isinstance(found, dict) and all(
            name in found and is_within(value, found[name]) for name, value in expected.items()
        )
    if isinstance(expected, list):
        return (
            isinstance(found, list)
            and len(expected) == len(found)
            and all(is_within(*pair) for pair in zip(expected, found, strict=True))
        )
    return bool(expected == found)


def test_what_is_within_differs_from_what_is_not() -> None:
    assert is_within({"a": [{"b": 1}]}, {"a": [{"b": 1, "c": 2}], "d": 3})
    for found in ({"a": [{"b": 2}]}, {"a": []}, {"a": [{"b": 1}, {"b": 1}]}, {}, None):
        assert not is_within({"a": [{"b": 1}]}, found)


def test_every_reply_is_what_it_was(opened: Opened) -> None:
    assert opened.facts["replies"]
    for path, expected in opened.facts["replies"].items():
        reply = opened.server.call("GET", path, key=opened.key)
        assert reply.status == 200, (path, reply.body)
        text = reply.body.decode().replace(opened.server.url, "")
        found = text if isinstance(expected, str) else json.loads(text)
        assert is_within(expected, found), (path, expected, found)


def test_a_batch_cut_short_goes_on_to_the_end(opened: Opened) -> None:
    job = opened.facts["half_done"]
    results = results_of(opened.server, job["name"], key=opened.key)
    check_every_request_has_one_outcome(results, job["lines"])
    texts = [f"This is question {index}." for index in range(job["lines"])]
    assert [text_of(result) for result in results] == texts
    again = executions(opened.server, job["name"])
    assert len(again) <= job["lines"] - job["answered"], "what was answered did not run again"


def test_a_batch_that_waited_is_run(opened: Opened) -> None:
    job = opened.facts["queued"]
    results = results_of(opened.server, job["name"], key=opened.key)
    check_every_request_has_one_outcome(results, job["lines"])


def test_the_ledger_balances_over_the_upgrade(opened: Opened) -> None:
    name = opened.facts["half_done"]["name"]
    results_of(opened.server, name, key=opened.key)
    receipt = opened.server.call("GET", f"/v1beta/{name}:receipt", key=opened.key).json()
    assert receipt["balances"] is True, receipt
    kinds = opened.toplu("usage", "--project", "team-a")
    assert all(kind in kinds for kind in ("batch", "interactive", "echo-embedder", "EUR"))


def test_keys_and_tiers_are_what_they_were(opened: Opened) -> None:
    path = f"/v1beta/{opened.facts['half_done']['name']}"
    statuses = {
        name: opened.server.call("GET", path, key=opened.facts[name]).status
        for name in ("key", "other_key", "revoked_key")
    }
    assert statuses == {"key": 200, "other_key": 404, "revoked_key": 400}
    (row,) = [row for row in opened.toplu("projects", "list").splitlines() if "team-a" in row]
    assert "large" in row


def test_a_cache_is_used_as_before(opened: Opened) -> None:
    body = {"contents": [{"parts": [{"text": "And now?"}]}], "cachedContent": opened.facts["cache"]}
    reply = opened.server.call("POST", FLASH, body, key=opened.key)
    assert reply.status == 200, reply.body
    assert reply.json()["usageMetadata"]["cachedContentTokenCount"] == 40


def test_an_upload_goes_on_where_it_was(opened: Opened) -> None:
    begun = opened.facts["upload"]
    rest = begun["content"].encode()[begun["received"] :]
    reply = send_chunk(opened.server, begun["session"], begun["received"], rest, "upload, finalize")
    assert reply.status == 200, reply.body
    name = create_job_from(opened.server, reply.json()["file"]["name"], key=opened.key)
    lines = begun["content"].splitlines()
    results = results_of(opened.server, name, key=opened.key)
    assert [result["key"] for result in results] == [json.loads(line)["key"] for line in lines]


def test_the_search_index_is_read(opened: Opened) -> None:
    body = {
        "contents": [{"parts": [{"text": "How many days of leave?"}]}],
        "tools": [{"googleSearch": {}}],
    }
    reply = opened.server.call("POST", FLASH, body, key=opened.key)
    assert reply.status == 200, reply.body
    assert "handbook" in opened.toplu("search", "list")


def test_nothing_was_logged_that_went_wrong(opened: Opened) -> None:
    levels = ("error", "critical")
    lines = [json.loads(line) for line in opened.server.log_lines if line.startswith("{")]
    assert [line for line in lines if line["level"] in levels] == []
    (copied,) = opened.server.events("database_copied")
    assert Path(copied["copy"]).exists()
