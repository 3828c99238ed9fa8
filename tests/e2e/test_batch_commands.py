"""`toplu batches` and `toplu watch` against a real server."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.jobs import create_job, finished_job, question, wait_for_answers
from support.model_tables import echo_model
from support.server import TOPLU, Server, clean_environment, started_server
from support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.system

KEY = "any-key"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = echo_model(delay_seconds=0.01, lanes=2)
    with started_server(tmp_path_factory.mktemp("town"), config=config) as running:
        yield running


def toplu(server: Server, *words: str, code: int = 0, **environment: str) -> Any:
    done = subprocess.run(
        [str(TOPLU), *words],
        env=clean_environment() | {"TOPLU_URL": server.url, "GEMINI_API_KEY": KEY} | environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert KEY not in done.stdout + done.stderr
    return done


def questions(count: int, text: str = "") -> list[dict[str, Any]]:
    return [question(index, text) for index in range(count)]


def test_a_batch_is_watched_to_its_end_and_its_results_and_receipt_are_fetched(
    server: Server, tmp_path: Path
) -> None:
    name = create_job(server, questions(200))
    watched = toplu(server, "watch", name).stdout.splitlines()
    assert all(line.startswith(name) for line in watched)
    assert "SUCCEEDED" in watched[-1]
    assert "200 of 200" in watched[-1]
    assert name in toplu(server, "batches", "list").stdout
    target = tmp_path / "results.jsonl"
    told = toplu(server, "batches", "results", name, "-o", str(target))
    assert "200 results, all there are" in told.stderr
    lines = [json.loads(line) for line in target.read_text().splitlines()]
    assert [line["line"] for line in lines] == list(range(1, 201))
    printed = toplu(server, "batches", "results", name.removeprefix("batches/")).stdout
    assert printed == target.read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["results.jsonl"]
    receipt = json.loads(toplu(server, "batches", "receipt", name).stdout)
    assert receipt["outcomes"]["succeeded"] == "200"
    assert receipt["balances"] is True


def test_a_file_is_uploaded_in_pieces_and_becomes_a_batch_that_is_shown_and_deleted(
    server: Server, tmp_path: Path
) -> None:
    file = tmp_path / "questions.jsonl"
    long = "word " * 50_000  # a quarter of a megabyte each: the file takes three pieces
    lines = [
        json.dumps({"key": str(n), "request": question(n, long)["request"]}) for n in range(80)
    ]
    file.write_text("\n".join(lines))
    created = toplu(server, "batches", "create", str(file), "--model", "gemini-2.5-flash")
    name = created.stdout.strip()
    shown = json.loads(toplu(server, "batches", "get", name, "--json").stdout)
    assert shown["metadata"]["displayName"] == "questions.jsonl"
    assert shown["metadata"]["inputConfig"]["fileName"].startswith("files/")
    assert name in toplu(server, "batches", "get", name).stdout
    listed = json.loads(toplu(server, "batches", "list", "--json").stdout)
    assert name in [operation["name"] for operation in listed["operations"]]
    toplu(server, "batches", "delete", name)
    assert "not found" in toplu(server, "batches", "get", name, code=2).stderr


def test_a_server_that_does_not_answer_is_exit_status_3(server: Server) -> None:
    gone = toplu(server, "batches", "list", "--server", "http://127.0.0.1:9", code=3)
    assert "127.0.0.1:9 does not answer" in gone.stderr
    assert len(gone.stderr.splitlines()) == 1


def test_a_batch_is_cancelled_and_its_rest_run_again(tmp_path: Path) -> None:
    # Two requests a second: nobody comes to the end of them.
    config = echo_model(delay_seconds=1.0, lanes=2)
    with started_server(tmp_path, config=config, log_level="debug") as server:
        name = create_job(server, questions(2000))
        wait_for_answers(server, name, 2)
        toplu(server, "batches", "cancel", name)
        watched = toplu(server, "batches", "watch", name, code=1).stdout
        assert "CANCELLED" in watched
        server.configure(echo_model())
        server.restart()
        words = ("batches", "retry", name, "--display-name", "rest")
        whole = toplu(server, *words, "--merge").stdout.strip()
        followed = toplu(server, "batches", "results", whole, "--follow")
        lines = [json.loads(line)["line"] for line in followed.stdout.splitlines()]
        assert sorted(lines) == list(range(1, 2001))
        assert "2000 results, the batch has ended" in followed.stderr
        merged = finished_job(server, whole)["metadata"]
        assert merged["batchStats"] == {"requestCount": "2000", "successfulRequestCount": "2000"}
        toplu(server, "batches", "delete", whole)
        made = toplu(server, *words).stdout.strip()
        operation = finished_job(server, made)
        assert operation["metadata"]["displayName"] == "rest"
        first = json.loads(toplu(server, "batches", "receipt", name).stdout)
        second = json.loads(toplu(server, "batches", "receipt", made).stdout)
        assert (first["retriedBy"], second["retryOf"]) == (made, name)
        done = int(first["outcomes"]["succeeded"]) + int(second["outcomes"]["succeeded"])
        assert done == 2000
        refused = toplu(server, "batches", "retry", made, code=2).stderr
        assert "nothing to run again" in refused


def test_what_is_wrong_is_one_line(server: Server, tmp_path: Path) -> None:
    for words, environment, told in (
        (["batches", "receipt", "never-was"], {}, "not found"),
        (["batches", "results", "../files/x"], {}, "not the name of a batch"),
        (["batches", "list"], {"GEMINI_API_KEY": ""}, "no key"),
        (["batches", "list", "--key-file", str(tmp_path / "none")], {}, "cannot be read"),
    ):
        done = toplu(server, *words, code=2, **environment)
        assert told in done.stderr
        assert len(done.stderr.splitlines()) == 1, done.stderr


def test_a_key_may_come_from_a_file(server: Server, tmp_path: Path) -> None:
    key_file = tmp_path / "key"
    key_file.write_text("any\n")
    words = ("batches", "list", "--key-file", str(key_file))
    assert toplu(server, *words, GEMINI_API_KEY="").returncode == 0
