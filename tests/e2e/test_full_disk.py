"""A full disk at every write: calls say so, nothing promised is lost, work goes on by itself."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.full_disk import FULL_FROM_THE_START, full_disk
from support.jobs import (
    check_every_request_has_one_outcome,
    create_job,
    create_job_from,
    executions,
    json_lines,
    operation_of,
    question,
    results_of,
    send_chunk,
    text_of,
    upload,
)
from support.model_tables import echo_model
from support.processes import children_of
from support.server import TOPLU, Reply, Server, clean_environment, started_server
from support.waiting import PATIENCE_SECONDS, eventually
from support.writing_calls import CONFIG, FLASH, WritingCalls, saying

pytestmark = pytest.mark.system

REQUESTS = 60
MIB = 1024 * 1024


def check_says_storage(reply: Reply, what: str) -> None:
    """The error is Google's, for a call that may be made again; it names the storage."""
    body = reply.json()
    said = body[-1] if isinstance(body, list) else body
    assert "error" in said, (what, reply.body)
    error = said["error"]
    # A stream has begun by then: the error is its last chunk.
    assert reply.status == (200 if isinstance(body, list) else 503), (what, reply.body)
    assert (error["code"], error["status"]) == (503, "UNAVAILABLE"), (what, reply.body)
    assert "cannot write to its storage" in error["message"], (what, error)
    assert reply.headers.get("x-goog-upload-status") != "final", what


def test_every_call_that_writes_says_so_and_succeeds_when_there_is_space(tmp_path: Path) -> None:
    with started_server(tmp_path, config=CONFIG, drain_seconds=0) as server:
        calls = WritingCalls(server)
        made = calls.all()
        with full_disk(server.pids):
            for what, call in made.items():
                check_says_storage(call(), what)
            listed = server.call("GET", "/v1beta/batches")
            assert listed.status == 200, "what only reads goes on"
        query = send_chunk(server, calls.half, 0, b"", "query")
        assert query.headers["x-goog-upload-size-received"] == "100"
        for what, call in made.items():
            assert call().status == 200, (what, server.log_tail())
        assert not server.events("call_crashed")
        assert not any("Traceback" in line and "call_" in line for line in server.log_lines)


def long_questions(count: int, size_bytes: int = 100_000) -> list[dict[str, Any]]:
    """Return requests with answers of such a size."""
    return [question(index, f"{index}-".ljust(size_bytes, "x")) for index in range(count)]


def check_answers(server: Server, name: str, lines: list[dict[str, Any]]) -> None:
    results = results_of(server, name)
    check_every_request_has_one_outcome(results, len(lines))
    texts = [line["request"]["contents"][0]["parts"][0]["text"] for line in lines]
    assert [text_of(result) for result in results] == texts


def wait_for_storage(server: Server, name: str) -> None:
    """Return once the batch says that it waits for the storage."""

    def waits_for_storage() -> bool:
        return bool(
            operation_of(server, name)["metadata"]["toplu"]["waiting"]["reason"] == "STORAGE"
        )

    eventually(waits_for_storage)


def test_a_running_batch_waits_for_space_and_goes_on(tmp_path: Path) -> None:
    settings = {"log_level": "debug", "lease_seconds": 3600}  # none lapses, however long it takes
    with started_server(tmp_path, config=echo_model(lanes=2), **settings) as server:
        lines = long_questions(REQUESTS)
        file = upload(server, json_lines(lines))
        # Neither a shard's results nor those of the batch fit: it cannot end before there is space.
        with full_disk(server.pids, 2 * MIB):
            name = create_job_from(server, file)
            wait_for_storage(server, name)
            promised = server.call("GET", f"/v1beta/{name}:results").body.splitlines()
            with full_disk(server.pids):
                check_says_storage(server.call("GET", f"/v1beta/{name}:results"), "results")
        check_answers(server, name, lines)
        after = server.call("GET", f"/v1beta/{name}:results").body.splitlines()
        assert set(promised) <= set(after)
        assert len(executions(server, name)) == REQUESTS, "what is in memory does not run again"


@pytest.mark.parametrize(("count", "size_bytes"), [(5, 1_000_000), (3000, 1000)])
def test_a_batch_that_is_planned_on_a_full_disk_waits_too(
    tmp_path: Path, count: int, size_bytes: int
) -> None:
    with started_server(tmp_path, config=echo_model(lanes=8)) as server:
        lines = long_questions(count, size_bytes)
        file = upload(server, json_lines(lines))
        # Whether it is planned, ordered, run or assembled when the disk is full is all the same.
        with full_disk(server.pids, 2 * MIB):
            name = create_job_from(server, file)
            with full_disk(server.pids):
                wait_for_storage(server, name)
        check_answers(server, name, lines)


def test_a_server_on_a_full_disk_stops_in_order_and_its_work_goes_on(tmp_path: Path) -> None:
    with started_server(tmp_path, config=echo_model(lanes=2), drain_seconds=1) as server:
        lines = long_questions(REQUESTS)
        file = upload(server, json_lines(lines))
        with full_disk(server.pids, 2 * MIB):
            name = create_job_from(server, file)
            wait_for_storage(server, name)
            with full_disk(server.pids):
                server.ask_to_stop()
                assert server.wait_for_exit() == 0, server.log_tail()
        server.start()
        check_answers(server, name, lines)


def test_an_upload_that_fills_the_disk_leaves_it_as_it_was(tmp_path: Path) -> None:
    with started_server(tmp_path, config=echo_model()) as server:
        headers = {"X-Goog-Upload-Protocol": "raw", "Content-Type": "text/plain"}

        def send() -> Reply:
            return server.call("POST", "/upload/v1beta/files", bytes(8 * MIB), headers=headers)

        with full_disk(server.pids, 2 * MIB):
            check_says_storage(send(), "an upload larger than the disk")
            assert list((server.data_dir / "uploads").iterdir()) == []
        assert send().status == 200


@contextmanager
def server_with_log_on_disk(tmp_path: Path, server: Server) -> Iterator["subprocess.Popen[bytes]"]:
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [*server.command(), "--port", "0"], stderr=log, env=clean_environment()
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait(PATIENCE_SECONDS)


def test_a_log_on_a_full_disk_stops_nothing(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", config=echo_model())
    with server_with_log_on_disk(tmp_path, server) as process:

        def events(name: str) -> list[str] | None:
            lines = (tmp_path / "log").read_text(encoding="utf-8").splitlines()
            return [line for line in lines if f'"{name}"' in line] or None

        ready = eventually(lambda: events("server_ready"))[0]
        server.port = int(ready.split("127.0.0.1:")[1].split('"')[0])
        eventually(lambda: server.call("GET", "/readyz").status == 200)
        with full_disk([process.pid, *children_of(process.pid)]):
            for _ in range(3):
                check_says_storage(
                    server.call("POST", f"{FLASH}:generateContent", saying("Hello.")), "generate"
                )
        assert events("storage_failed") is None
        assert server.call("GET", "/v1beta/nothing-here/at-all").status == 404
        create_job(server, [question(0)])
        assert '"count": ' in eventually(lambda: events("log_lines_lost"))[0]
        assert process.poll() is None


@pytest.mark.parametrize(
    "words", [("serve", "--port", "0"), ("keys", "create"), ("search", "add", "leave.md")]
)
def test_commands_on_a_full_disk_end_with_one_sentence(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    command = [str(TOPLU), *words, "--data-dir", str(tmp_path / "data")]
    made = subprocess.run(
        [str(TOPLU), "keys", "create", "--data-dir", str(tmp_path / "data")],
        check=True,
        capture_output=True,
        env=clean_environment(),
    )
    assert made.stdout
    (tmp_path / "leave.md").write_text("A year has thirty days of leave.", encoding="utf-8")
    ended = subprocess.run(
        [*FULL_FROM_THE_START, *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
        env=clean_environment(),
        cwd=tmp_path,
    )
    assert ended.returncode == 2, ended.stderr
    sentence = ended.stderr.splitlines()[-1]
    assert sentence.startswith("toplu: "), ended.stderr
    assert "Traceback" not in ended.stderr
