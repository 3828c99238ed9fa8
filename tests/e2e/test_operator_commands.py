"""The commands of an operator: tables for people, documents for programs, the same in both."""

import json
import os
import pwd
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from support.jobs import KEY, create_job, question, results_of
from support.model_tables import echo_model
from support.server import TOPLU, clean_environment, started_server
from support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.system

TEXT, NUMBER = {"type": "string"}, {"type": "integer", "minimum": 0}
PART = {
    "type": "object",
    "properties": {"used": NUMBER, "limit": {"type": ["integer", "null"]}},
    "required": ["used", "limit"],
    "additionalProperties": False,
}
# The documents of `--json`, each list with what its entries have; they only ever grow.
DOCUMENTS: dict[str, dict[str, Any]] = {
    "keys": {
        "id": TEXT,
        "project": TEXT,
        "label": TEXT,
        "prefix": TEXT,
        "created": TEXT,
        "revoked": {"type": ["string", "null"]},
    },
    "projects": {
        "project": TEXT,
        "tier": TEXT,
        "weight": NUMBER,
        "unfinished_batches": PART,
        "enqueued_tokens": {"type": "object", "additionalProperties": PART},
        "storage_bytes": PART,
    },
    "totals": {
        "project": TEXT,
        "model": TEXT,
        "day": {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"},
        "kind": {"enum": ["batch", "interactive"]},
        "requests": NUMBER,
        "prompt_tokens": NUMBER,
        "cached_tokens": NUMBER,
        "output_tokens": NUMBER,
        "cost": {"type": "string", "pattern": r"^\d+(\.\d+)?$"},
        "currency": TEXT,
    },
    "entries": {
        "time": {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}T[\d:.]+Z$"},
        "project": TEXT,
        "actor": {"type": "string", "pattern": r"^(key/.+|operator/.+|anyone|server)$"},
        "action": {"type": "string", "pattern": r"^[a-z]+\.[a-z]+$"},
        "name": TEXT,
        "detail": {"type": ["string", "null"]},
        "client": {"type": ["string", "null"]},
        "call": {"type": ["string", "null"]},
    },
    "collections": {"name": TEXT, "documents": NUMBER, "added": TEXT, "path": TEXT},
    "models": {
        "name": TEXT,
        "aliases": {"type": "array", "items": TEXT},
        "kind": {"enum": ["generation", "embedding"]},
        "engine": TEXT,
        "source": {"type": ["string", "null"]},
        "servers": {"type": "array", "items": TEXT},
        "file": {"enum": ["here", "missing", "not needed"]},
    },
    "checks": {
        "what": TEXT,
        "verdict": {"enum": ["ok", "warning", "fault"]},
        "found": TEXT,
        "mend": TEXT,
    },
}


def toplu(*words: Any, **environment: str) -> str:
    ended = subprocess.run(
        [str(TOPLU), *map(str, words)],
        capture_output=True,
        check=False,
        env=clean_environment() | environment,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert ended.returncode == 0, (ended.stdout, ended.stderr)
    return ended.stdout


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with something of each kind."""
    folder = tmp_path_factory.mktemp("operator")
    with started_server(folder, config=echo_model()) as server:
        results_of(server, create_job(server, [question(index) for index in range(5)]))
        here = ("--data-dir", server.data_dir)
    toplu("keys", "create", "--project", "team-a", "--label", "for a test", *here)
    toplu("projects", "set", "team-a", "--tier", "default", *here)
    page = folder / "page.txt"
    page.write_text("The harbour has a keeper.")
    toplu("search", "add", page, *here)
    return folder / "data"


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("keys", "list"), "keys"),
        (("projects", "list"), "projects"),
        (("usage",), "totals"),
        (("audit",), "entries"),
        (("search", "list"), "collections"),
        (("doctor",), "checks"),
    ],
)
def test_a_document_has_what_is_promised(data: Path, words: tuple[str, ...], name: str) -> None:
    check_document(json.loads(toplu(*words, "--data-dir", data, "--json")), name)
    assert "┃" in toplu(*words, "--data-dir", data)


def test_so_has_that_of_the_catalogue() -> None:
    check_document(json.loads(toplu("models", "list", "--json")), "models")


def test_the_audit_log_names_who_did_what_and_goes_on_by_pages(data: Path) -> None:
    user = pwd.getpwuid(os.getuid()).pw_name
    asked = ("audit", "--project", "team-a", "--data-dir", data, "--json")
    first = json.loads(toplu(*asked, "--limit", 1))
    (change,) = first["entries"]
    assert (change["actor"], change["action"]) == (f"operator/{user}", "project.update")
    assert (change["name"], change["detail"]) == ("projects/team-a", "tier default")
    rest = json.loads(toplu(*asked, "--limit", 1, "--page", first["next_page"]))
    assert [it["action"] for it in rest["entries"]] == ["key.create"]
    assert rest["next_page"] is None
    assert json.loads(toplu(*asked, "--action", "batch"))["entries"] == []
    assert json.loads(toplu(*asked, "--since", "2999-01-01"))["entries"] == []
    shown = toplu("audit", "--action", "batch", "--data-dir", data)
    assert "batch.create" in shown
    assert "key.create" not in shown


def check_document(document: dict[str, Any], name: str) -> None:
    fields = DOCUMENTS[name]
    assert document[name], "there is one at least"
    entry = {"type": "object", "properties": fields, "required": list(fields)}
    jsonschema.validate(document[name], {"type": "array", "items": entry})


def test_a_table_is_as_people_know_it(data: Path) -> None:
    shown = toplu("projects", "list", "--data-dir", data).splitlines()
    assert [cell.strip() for cell in shown[1].strip("┃").split("┃")] == [
        "project",
        "tier",
        "weight",
        "unfinished batches",
        "enqueued tokens",
        "storage bytes",
    ]
    (team,) = [line for line in shown if "team-a" in line]
    assert [cell.strip() for cell in team.strip("│").split("│")][:4] == [
        "team-a",
        "default",
        "1",
        "0 of 100",
    ]


def test_files_go_there_and_back(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text('{"contents": []}\n')
    with started_server(tmp_path, config=echo_model()) as server:
        asked = {"TOPLU_URL": server.url, "TOPLU_KEY": KEY}
        name = toplu("files", "upload", source, **asked).strip()
        (listed,) = json.loads(toplu("files", "list", "--json", **asked))["files"]
        assert (listed["name"], listed["displayName"]) == (name, "in.jsonl")
        assert name in toplu("files", "list", **asked)
        assert json.loads(toplu("files", "get", name, **asked))["sizeBytes"] == "17"
        toplu("files", "delete", name, **asked)
        assert json.loads(toplu("files", "list", "--json", **asked)) == {"files": []}
        batch = create_job(server, [question(0)])
        results_of(server, batch)
        (output,) = [
            file["name"]
            for file in json.loads(toplu("files", "list", "--json", **asked))["files"]
            if file["source"] == "GENERATED"
        ]
        toplu("files", "download", output, "-o", tmp_path / "out.jsonl", **asked)
    assert "response" in json.loads((tmp_path / "out.jsonl").read_text())
    assert not list(tmp_path.glob("*.part"))


def test_a_model_is_added_to_settings_and_what_is_there_stays(tmp_path: Path) -> None:
    config = tmp_path / "toplu.toml"
    config.write_text(f"# mine\nport = 9000\n{echo_model()}")
    toplu("models", "add", "http://gpu-1:8000/v1#Qwen/Qwen3-8B", "--config", config)
    toplu("models", "add", "hub:o/r/M.gguf", "--name", "Big", "--config", config, "--alias", "big")
    assert config.read_text().startswith("# mine\nport = 9000\n")
    listed = json.loads(toplu("models", "list", "--config", config, "--json"))["models"]
    assert [model["name"] for model in listed] == ["echo", "qwen-qwen3-8b", "big"]
    assert listed[1]["servers"] == ["http://gpu-1:8000/v1"]
    before = config.read_text()
    again = subprocess.run(
        [TOPLU, "models", "add", "hub:o/r/M.gguf", "--name", "big", "--config", config],
        capture_output=True,
        check=False,
        env=clean_environment(),
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert again.returncode == 2
    assert "the same name" in again.stderr
    assert config.read_text() == before


@pytest.mark.parametrize(
    ("words", "found"), [("toplu ba", "batches"), ("toplu batches re", "retry")]
)
def test_words_are_completed(words: str, found: str) -> None:
    completed = toplu(
        _TOPLU_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(words.count(" "))
    )
    assert found in completed.split()
