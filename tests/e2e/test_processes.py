"""The processes of one server: each may be killed, and is back; nobody else is in its place."""

import http.client
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.chaos.repeats import check_repeats
from support.jobs import (
    check_every_request_has_one_outcome,
    create_job,
    executions,
    greedy_question,
    operation_of,
    question,
    results_of,
    text_of,
    wait_for_answers,
)
from support.model_tables import echo_model
from support.server import TOPLU, Server, clean_environment, started_server
from support.waiting import PATIENCE_SECONDS
from toplu.serving.sockets.socket_folder import socket_folder

FLASH = "/v1beta/models/gemini-2.5-flash"
ASKED = {"contents": [{"parts": [{"text": "one two three"}]}]}
REQUESTS = 400


def text_in(body: bytes) -> str:
    parts = json.loads(body)["candidates"][0]["content"]["parts"]
    return "".join(part["text"] for part in parts)


def test_one_answers_and_one_works(tmp_path: Path) -> None:
    with started_server(tmp_path, config=echo_model()) as server:
        assert len(server.processes("api")) == len(server.processes("worker")) == 1
        (socket,) = socket_folder(server.data_dir).glob("*.door")
        assert socket.stat().st_mode & 0o777 == 0o600
        assert server.call("POST", f"{FLASH}:generateContent", ASKED).status == 200


def wait_for_workers(server: Server, count: int) -> None:
    def are_ready() -> bool:
        names = {event["name"] for event in server.events("process_ready")}
        return {f"worker-{number}" for number in range(1, count + 1)} <= names

    server.wait_until(are_ready, PATIENCE_SECONDS, "all workers")


@pytest.mark.parametrize("workers", [0, 2])
def test_any_number_of_workers_does_the_work(tmp_path: Path, workers: int) -> None:
    config = echo_model(replicas=2, lanes=2, delay_seconds=0.03)
    settings = {"workers": workers, "log_level": "debug", "shard_requests_max": 16}
    with started_server(tmp_path, config=config, **settings) as server:
        assert len(server.processes("worker")) == workers
        wait_for_workers(server, workers)
        name = create_job(server, [question(index) for index in range(REQUESTS)])
        results = results_of(server, name)
        check_every_request_has_one_outcome(results, REQUESTS)
        assert sorted(executions(server, name)) == list(range(REQUESTS))
        started = server.events("request_started")
        assert len({event.get("process") for event in started}) == max(workers, 1)
        receipt = server.call("GET", f"/v1beta/{name}:receipt").json()
        assert receipt["balances"]


def test_identical_requests_run_once_over_two_workers(tmp_path: Path) -> None:
    # So slow that one worker alone would need five seconds: a busy machine lets both begin.
    config = echo_model(replicas=2, lanes=2, delay_seconds=0.1)
    settings = {"workers": 2, "log_level": "debug", "shard_requests_max": 4}
    with started_server(tmp_path, config=config, **settings) as server:
        wait_for_workers(server, 2)
        # Four of each text, and none beside another of its like.
        texts = [f"This is question {index % 100}." for index in range(REQUESTS)]
        lines = [greedy_question(0, text) | {"key": str(key)} for key, text in enumerate(texts)]
        name = create_job(server, lines)
        results = results_of(server, name)
        assert [result["key"] for result in results] == [str(key) for key in range(REQUESTS)]
        assert [text_of(result) for result in results] == texts
        assert len(executions(server, name)) == len(set(texts))
        started = server.events("request_started")
        assert len({event["process"] for event in started}) == 2


def test_a_killed_worker_is_back_and_its_batch_goes_on(tmp_path: Path) -> None:
    config = echo_model(delay_seconds=0.02)
    with started_server(tmp_path, config=config, log_level="debug") as server:
        name = create_job(server, [question(index) for index in range(REQUESTS)])
        for answered in (20, 100):
            wait_for_answers(server, name, answered)
            server.kill_process("worker")
        check_every_request_has_one_outcome(results_of(server, name), REQUESTS)
        check_repeats(server.log_lines)
        dead = server.events("dead_workers_ended")
        assert len(dead) == 2, "each is found by the one that takes its place"


def test_a_killed_api_is_back_and_calls_meanwhile_are_answered(tmp_path: Path) -> None:
    with started_server(tmp_path, config=echo_model(delay_seconds=0.02)) as server:
        name = create_job(server, [question(index) for index in range(REQUESTS)])
        for _ in range(2):
            os.kill(server.processes("api")[0], signal.SIGKILL)
            # The port is the supervisor's: what comes now waits there.
            server.wait_until(lambda: not server.processes("api"), PATIENCE_SECONDS, "its end")
            assert operation_of(server, name)["name"] == name
        check_every_request_has_one_outcome(results_of(server, name), REQUESTS)


def test_without_a_worker_batches_are_accepted_and_calls_told_to_come_again(
    tmp_path: Path,
) -> None:
    with started_server(tmp_path, config=echo_model()) as server:
        with standing_still(server.pid):  # the supervisor, which would start another one
            os.kill(server.processes("worker")[0], signal.SIGKILL)
            server.wait_until(lambda: no_worker(server), PATIENCE_SECONDS, "nobody to answer")
            name = create_job(server, [question(0)])
        assert text_of(results_of(server, name)[0]) == "This is question 0."
        assert server.call("POST", f"{FLASH}:generateContent", ASKED).status == 200


@contextmanager
def standing_still(pid: int) -> Iterator[None]:
    """Let the process do nothing until the block ends."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def no_worker(server: Server) -> bool:
    reply = server.call("POST", f"{FLASH}:generateContent", ASKED)
    if reply.status == 200:
        return False
    assert reply.status == 503, reply.body
    assert reply.headers["retry-after"] == "1"
    return reply.json()["error"]["status"] == "UNAVAILABLE"


@pytest.mark.parametrize("query", ["?alt=sse", ""])
def test_a_stream_whose_worker_is_killed_ends_with_an_error(tmp_path: Path, query: str) -> None:
    config = echo_model(word_seconds=3600)
    with started_server(tmp_path, config=config) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, PATIENCE_SECONDS)
        headers = {"x-goog-api-key": "any"}
        body = json.dumps(ASKED)
        connection.request("POST", f"{FLASH}:streamGenerateContent{query}", body, headers)
        answer = connection.getresponse()
        first = answer.read1()
        assert b"one" in first
        server.kill_process("worker")
        rest = first + answer.read()
        if query:
            *_, last = [line for line in rest.split(b"\r\n") if line.startswith(b"data: ")]
            last = json.loads(last.removeprefix(b"data: "))
        else:
            last = json.loads(rest)[-1]
        assert last["error"]["status"] == "INTERNAL"
        connection.close()


def test_nobody_may_name_the_project_of_a_call(tmp_path: Path) -> None:
    with started_server(tmp_path, config=echo_model()) as server:
        forged = {"X-Toplu-Project": "somebody"}
        assert server.call("POST", f"{FLASH}:generateContent", ASKED, headers=forged).status == 200
        command = [TOPLU, "usage", "--data-dir", server.data_dir]
        usage = subprocess.run(command, capture_output=True, check=True, env=clean_environment())
        assert b"default" in usage.stdout
        assert b"somebody" not in usage.stdout


def test_a_second_server_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    with started_server(tmp_path, config=echo_model()) as server:
        second = subprocess.run(
            [*server.command(), "--port", "0"],
            capture_output=True,
            check=False,
            env=clean_environment(),
            timeout=PATIENCE_SECONDS,
        )
        assert second.returncode == 2
        assert b"owned by another server" in second.stderr
        assert server.call("POST", f"{FLASH}:generateContent", ASKED).status == 200


def test_no_process_outlives_its_supervisor(tmp_path: Path) -> None:
    with started_server(tmp_path, config=echo_model()) as server:
        left = [*server.processes("api"), *server.processes("worker")]
        server.kill()
        server.start()
        assert not set(left) & set(server.pids)
        assert not any(Path(f"/proc/{pid}").exists() for pid in left)


def test_many_calls_reach_the_workers_together(tmp_path: Path) -> None:
    config = echo_model(replicas=2, lanes=4)
    with started_server(tmp_path, config=config, workers=2) as server:

        def ask(number: int) -> str:
            asked = {"contents": [{"parts": [{"text": f"word {number}"}]}]}
            reply = server.call("POST", f"{FLASH}:generateContent", asked)
            assert reply.status == 200, reply.body
            return text_in(reply.body)

        with ThreadPoolExecutor(8) as callers:
            answers = list(callers.map(ask, range(40)))
        assert answers == [f"word {number}" for number in range(40)]
