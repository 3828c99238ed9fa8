"""A project is deleted while its server works: no word of it is left in the data folder."""

import contextlib
import json
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.api.openai_batches import chat_line
from support.clients import NO_CERTIFICATES
from support.jobs import json_lines, operation_of, question, results_of, send_chunk, start_upload
from support.model_tables import echo_model
from support.server import TOPLU, Reply, Server, clean_environment, started_server
from support.waiting import PATIENCE_SECONDS, eventually

pytestmark = pytest.mark.system

GONE, STAYS = "zq7nightjar", "zq7kingfisher"  # the project and all its words
CREATE = "/v1beta/models/gemini-2.5-flash:batchGenerateContent"
GENERATE = "/v1beta/models/gemini-2.5-flash:generateContent"
LONG = 2000  # lines of a batch that runs meanwhile


@dataclass(frozen=True, kw_only=True)
class Tenant:
    """A project that has something of each kind."""

    word: str
    key: str
    done: str
    running: str


def toplu(server: Server, *words: str, status: int = 0) -> str:
    ended = subprocess.run(
        [str(TOPLU), *words, "--data-dir", str(server.data_dir)],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert ended.returncode == status, (ended.stdout, ended.stderr)
    return ended.stdout


def delete(server: Server, project: str, status: int = 0) -> dict[str, Any]:
    shown = toplu(server, "projects", "delete", project, "--yes", "--json", status=status)
    report: dict[str, Any] = json.loads(shown)
    return report


def labelled(word: str, index: int) -> dict[str, Any]:
    line = question(index, f"{word} asks {index}: " + f"{word} " * 20)
    line["key"] = f"{word}-{index}"
    line["request"]["labels"] = {"team": word}
    return line


def checked(reply: Reply) -> Any:
    assert reply.status == 200, reply.body
    return reply.json()


def upload_named(server: Server, key: str, word: str, content: bytes) -> str:
    start = {"X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "start"}
    about = {"file": {"name": f"files/{word}-input", "displayName": f"{word} shown"}}
    begun = server.call("POST", "/upload/v1beta/files", about, key=key, headers=start)
    session = begun.headers["x-goog-upload-url"].removeprefix(server.url)
    return str(checked(send_chunk(server, session, 0, content, "upload, finalize"))["file"]["name"])


def create(server: Server, key: str, word: str, given: dict[str, Any]) -> str:
    body = {"batch": {"displayName": f"{word} batch", "inputConfig": given}}
    headers = {"Idempotency-Key": f"{word}-{json.dumps(given)[:40].replace(' ', '')}"}
    return str(checked(server.call("POST", CREATE, body, key=key, headers=headers))["name"])


def move_in(server: Server, word: str) -> Tenant:
    """Leave the word in everything that a project can have."""
    made = toplu(server, "keys", "create", "--project", word, "--label", f"{word} label")
    key = made.strip()
    eventually(lambda: server.call("GET", "/v1beta/files", key=key).status == 200)
    lines = json_lines([labelled(word, index) for index in range(5)])
    done = create(server, key, word, {"fileName": upload_named(server, key, word, lines)})
    assert word in json.dumps(results_of(server, done, key=key))
    inline = [{"request": labelled(word, 9)["request"], "metadata": {"key": word}}]
    inline_done = create(server, key, word, {"requests": {"requests": inline}})
    assert word in json.dumps(results_of(server, inline_done, key=key))
    ask_interactively(server, key, word)
    leave_openai_batch(server, key, word)
    send_chunk(server, start_upload(server, 10**6, key=key), 0, word.encode() * 99, "upload")
    long = json_lines([labelled(word, index) for index in range(LONG)])
    headers = {"X-Goog-Upload-Protocol": "raw", "X-Goog-Upload-File-Name": f"{word} long"}
    file = checked(server.call("POST", "/upload/v1beta/files", long, key=key, headers=headers))
    running = create(server, key, word, {"fileName": file["file"]["name"]})
    return Tenant(word=word, key=key, done=done, running=running)


def ask_interactively(server: Server, key: str, word: str) -> None:
    checked(server.call("POST", GENERATE, labelled(word, 0)["request"], key=key))
    cache = {
        "model": "models/gemini-2.5-flash",
        "displayName": f"{word} cache",
        "contents": [{"role": "user", "parts": [{"text": f"{word} " * 100}]}],
    }
    checked(server.call("POST", "/v1beta/cachedContents", cache, key=key))


def leave_openai_batch(server: Server, key: str, word: str) -> None:
    import openai

    with openai.OpenAI(
        base_url=f"{server.url}/openai/v1",
        api_key=key,
        http_client=openai.DefaultHttpxClient(verify=NO_CERTIFICATES),
    ) as sdk:
        lines = "\n".join(chat_line(f"{word}-{each}", f"{word} {each}") for each in range(3))
        file = sdk.files.create(file=(f"{word}.jsonl", lines.encode()), purpose="batch")
        batch = sdk.batches.create(
            input_file_id=file.id,
            endpoint="/v1/chat/completions",
            completion_window="24h",
            metadata={"team": word},
        )
        ended = eventually(
            lambda: it if (it := sdk.batches.retrieve(batch.id)).output_file_id else None
        )
        assert word in sdk.files.content(ended.output_file_id).text


def places_of(word: str, folder: Path) -> list[str]:
    """Return the files in which the word is, in name or content, whatever else is in them."""
    found = []
    for path in sorted(folder.rglob("*")):
        with contextlib.suppress(FileNotFoundError):
            named = word in path.name
            if named or (path.is_file() and word.encode() in path.read_bytes()):
                found.append(str(path.relative_to(folder)))
    return found


def texts_with(word: str, database: Path) -> set[str]:
    """Return the columns of the database in which the word is, as table.column."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {
            f"{table}.{column}"
            for (table,) in tables.fetchall()
            for (_, column, *_) in connection.execute(f"PRAGMA table_info({table})")
            if connection.execute(
                f'SELECT 1 FROM {table} WHERE instr("{column}", ?) LIMIT 1', (word.encode(),)
            ).fetchone()
            or connection.execute(
                f'SELECT 1 FROM {table} WHERE instr("{column}", ?) LIMIT 1', (word,)
            ).fetchone()
        }


def keep_copy_of_before(server: Server) -> Path:
    """Leave what an upgrade leaves: a copy of the database as it was."""
    copy = server.data_dir / "toplu.db.0016"
    with contextlib.closing(sqlite3.connect(server.data_dir / "toplu.db")) as connection:
        connection.execute("VACUUM INTO ?", (str(copy),))
    return copy


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    config = echo_model(delay_seconds=0.05, lanes=2)
    with started_server(tmp_path, config=config) as server:
        yield server


# The name of the project is all that may stay, where the report and the bill name it.
NAMED = {
    "audit.project",
    "audit.name",
    "deletions.project",
    "deletion_places.project",
    "ledger.project",
}


def check_all_is_gone(server: Server, word: str) -> None:
    assert texts_with(word, server.data_dir / "toplu.db") <= NAMED
    assert places_of(f"{word} ", server.data_dir) == []
    assert places_of(f"{word}-", server.data_dir) == []
    assert set(places_of(word, server.data_dir)) <= {"toplu.db", "toplu.db-wal"}


def test_no_word_of_a_deleted_project_is_left(server: Server) -> None:
    gone, stays = move_in(server, GONE), move_in(server, STAYS)
    copy = keep_copy_of_before(server)
    assert {"toplu.db", "toplu.db.0016"} < set(places_of(GONE, server.data_dir))
    assert len(places_of(f"{GONE} asks", server.data_dir)) > 3
    bill = json.loads(toplu(server, "usage", "--project", GONE, "--json"))
    assert bill["labels"]

    report = delete(server, GONE)
    assert report["proved"]
    assert report["left"] == []
    removed = {it["kind"]: it["count"] for it in report["removed"]}
    assert removed["batches"] == 4
    # Three were uploaded; two are of results.
    assert removed["files"] == 5
    expected = {"uploads": 4, "caches": 1, "keys": 1, "database copies": 1}
    assert {kind: removed.get(kind) for kind in expected} == expected
    assert all(
        it["size_bytes"] > 0 for it in report["removed"] if it["kind"] in ("batches", "files")
    )
    check_all_is_gone(server, GONE)
    assert not copy.exists()

    assert server.call("GET", "/v1beta/files", key=gone.key).status == 400
    after = json.loads(toplu(server, "usage", "--project", GONE, "--json"))
    assert after["labels"] == []
    assert sum(it["requests"] for it in after["totals"]) >= sum(
        it["requests"] for it in bill["totals"]
    )
    deeds = json.loads(toplu(server, "audit", "--project", GONE, "--json"))["entries"]
    assert [it["detail"] for it in deeds if it["action"] == "project.delete"][1] == "begun"
    assert {it["name"] for it in deeds if it["action"].startswith("file.")} == {"files/-"}
    assert not [it for it in deeds if it["actor"] == "server"]
    toplu(server, "keys", "create", "--project", GONE, status=2)

    assert len(results_of(server, stays.done, key=stays.key)) == 5
    going_on = operation_of(server, stays.running, key=stays.key)["metadata"]["state"]
    assert going_on in ("JOB_STATE_RUNNING", "JOB_STATE_SUCCEEDED")
    server.restart()
    check_all_is_gone(server, GONE)
    assert server.call("GET", "/v1beta/files", key="any-other").status == 400


def begun(server: Server) -> bool:
    with contextlib.closing(sqlite3.connect(server.data_dir / "toplu.db")) as connection:
        return connection.execute("SELECT 1 FROM deletions").fetchone() is not None


def test_a_deletion_that_is_killed_is_gone_on_with_by_the_server(server: Server) -> None:
    gone, stays = move_in(server, GONE), move_in(server, STAYS)
    command = [str(TOPLU), "projects", "delete", GONE, "--yes", "--data-dir", str(server.data_dir)]
    with subprocess.Popen(command, env=clean_environment(), stdout=subprocess.DEVNULL) as deleting:
        eventually(lambda: begun(server))
        deleting.send_signal(signal.SIGKILL)
    server.kill()
    server.start()
    ended = server.wait_for_event("project_deleted", PATIENCE_SECONDS)
    assert ended["project"] == GONE
    report = delete(server, GONE)
    assert report["proved"]
    check_all_is_gone(server, GONE)
    assert server.call("GET", "/v1beta/files", key=gone.key).status == 400
    assert len(results_of(server, stays.done, key=stays.key)) == 5


def test_without_a_server_a_project_goes_and_its_name_is_free_again(server: Server) -> None:
    gone = move_in(server, GONE)
    server.kill()
    shown = toplu(server, "projects", "delete", GONE, "--yes")
    assert "deleted; all rows and places were looked at again" in shown
    assert "┃" in shown
    check_all_is_gone(server, GONE)
    assert {path.name for path in (server.data_dir / "results").iterdir()} == set()
    key = toplu(server, "keys", "create", "--project", GONE).strip()
    server.start()
    assert server.call("GET", "/v1beta/files", key=gone.key).status == 400
    assert server.call("GET", "/v1beta/files", key=key).json() == {}
