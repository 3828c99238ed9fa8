"""A backup that is taken under load is a server on which everything goes on."""

import contextlib
import json
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.jobs import (
    check_every_request_has_one_outcome,
    create_job,
    create_job_from,
    executions,
    json_lines,
    question,
    results_of,
    send_chunk,
    start_upload,
    upload,
    wait_for_answers,
)
from support.model_tables import echo_model
from support.server import TOPLU, Server, clean_environment, started_server
from support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.system

REQUESTS = 600


def toplu(*words: Any, code: int = 0) -> str:
    ended = subprocess.run(
        [str(TOPLU), *map(str, words)],
        capture_output=True,
        check=False,
        text=True,
        env=clean_environment(),
        timeout=PATIENCE_SECONDS,
    )
    assert ended.returncode == code, (ended.stdout, ended.stderr)
    return ended.stdout + ended.stderr


def backup(server: Server, target: Path) -> dict[str, Any]:
    told = toplu("backup", target, "--data-dir", server.data_dir, "--json")
    found: dict[str, Any] = json.loads(told)
    return found


@contextlib.contextmanager
def coming_and_going(server: Server) -> Iterator[None]:
    """Make and delete batches and files until the block ends."""
    ended = threading.Event()

    def go_on() -> None:
        while not ended.is_set():
            name = create_job(server, [question(index) for index in range(20)])
            file = upload(server, json_lines([question(0)]))
            results_of(server, name)
            server.call("DELETE", f"/v1beta/{name}")
            server.call("DELETE", f"/v1beta/{file}")

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.mark.slow
def test_what_a_backup_under_load_has_is_finished_by_who_restores_it(tmp_path: Path) -> None:
    config = echo_model(delay_seconds=0.02)
    copy, settings = tmp_path / "backup", {"workers": 2, "log_level": "debug"}
    with started_server(tmp_path, config=config, **settings) as server:
        ended = create_job(server, [question(index) for index in range(50)])
        results_of(server, ended)
        inline = create_job(server, [question(index) for index in range(REQUESTS)])
        file = upload(server, json_lines([question(index) for index in range(REQUESTS)]))
        from_file = create_job_from(server, file)
        session = start_upload(server, 1000)
        send_chunk(server, session, 0, b"x" * 600, "upload")
        wait_for_answers(server, inline, 50)
        with coming_and_going(server):
            taken = backup(server, copy)
            again = backup(server, tmp_path / "again")
        server.kill()
        assert not list(server.data_dir.glob(".backup-*"))
    assert taken["unbalanced"] == again["unbalanced"] == []
    assert taken["receipts"] >= 1
    shutil.rmtree(tmp_path / "data")
    told = toplu("restore", copy, "--data-dir", tmp_path / "data")
    assert "start it with" in told
    with started_server(tmp_path, config=config, **settings) as server:
        before = done_in(copy, inline)
        assert before >= 50
        for name in (inline, from_file):
            check_every_request_has_one_outcome(results_of(server, name), REQUESTS)
            assert server.call("GET", f"/v1beta/{name}:receipt").json()["balances"]
        check_every_request_has_one_outcome(results_of(server, ended), 50)
        assert server.call("GET", f"/v1beta/{ended}:receipt").json()["balances"]
        # No answer that the backup has is asked for again.
        assert len(executions(server, inline)) == REQUESTS - before
        assert server.call("GET", f"/v1beta/{file}").json()["state"] == "ACTIVE"
        received = send_chunk(server, session, 0, b"", "query").headers
        assert received["x-goog-upload-size-received"] == "600"
        last = send_chunk(server, session, 600, b"x" * 400, "upload, finalize")
        assert last.json()["file"]["sizeBytes"] == "1000"


def done_in(copy: Path, name: str) -> int:
    """Return how many outcomes a batch has in a backup."""
    uri = f"file:{copy / 'toplu.db'}?mode=ro&immutable=1"
    with contextlib.closing(sqlite3.connect(uri, uri=True)) as rows:
        query = "SELECT succeeded + failed FROM jobs WHERE id = ?"
        (count,) = rows.execute(query, (name.removeprefix("batches/"),)).fetchone()
    return int(count)


def test_a_backup_of_a_server_that_stands_still_is_all_of_it(tmp_path: Path) -> None:
    with started_server(tmp_path, config=echo_model()) as server:
        key = toplu("keys", "create", "--project", "team-a", "--data-dir", server.data_dir)
        toplu("search", "add", _document(tmp_path), "--data-dir", server.data_dir)
    copy = tmp_path / "backup"
    assert "0 batches" in toplu("backup", copy, "--data-dir", tmp_path / "data")
    toplu("restore", copy, "--data-dir", tmp_path / "restored")
    keys = [toplu("keys", "list", "--data-dir", tmp_path / name) for name in ("data", "restored")]
    assert keys[0] == keys[1]
    assert "team-a" in keys[0]
    assert key
    listed = [
        toplu("search", "list", "--data-dir", tmp_path / name) for name in ("data", "restored")
    ]
    assert listed[0] == listed[1]


def _document(folder: Path) -> Path:
    path = folder / "page.txt"
    path.write_text("The harbour of the town has a keeper.")
    return path


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup with a batch in it."""
    folder = tmp_path_factory.mktemp("taken")
    with started_server(folder, config=echo_model()) as server:
        results_of(server, create_job(server, [question(index) for index in range(20)]))
        backup(server, folder / "backup")
    return folder / "backup"


def test_a_damaged_backup_is_not_restored(taken: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(taken, copy)
    blob = next(path for path in copy.rglob("*.jsonl") if path.parent != copy)
    blob.write_bytes(blob.read_bytes()[:-1] + b"!")
    told = toplu("restore", copy, "--data-dir", tmp_path / "data", code=2)
    assert f"{blob}: is damaged" in told
    assert not (tmp_path / "data").exists()
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("cut", [0, 1])
def test_one_without_a_whole_manifest_is_none(taken: Path, tmp_path: Path, cut: int) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(taken, copy)
    manifest = copy / "manifest.jsonl"
    lines = manifest.read_bytes().splitlines(keepends=True)
    manifest.write_bytes(b"".join(lines[:-1])) if cut else manifest.unlink()
    told = toplu("restore", copy, "--data-dir", tmp_path / "data", code=2)
    assert ("is damaged" if cut else "is no backup") in told


def test_nothing_is_written_over(taken: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "precious").touch()
    assert "is not empty" in toplu("restore", taken, "--data-dir", tmp_path / "data", code=2)
    told = toplu("backup", taken, "--data-dir", taken, code=2)
    assert "is there already" in told
    told = toplu("backup", tmp_path / "new", "--data-dir", tmp_path / "none", code=2)
    assert "has no database" in told
