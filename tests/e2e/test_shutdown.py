"""SIGTERM: what runs is finished, what waits is kept, and the exit is clean."""

from pathlib import Path

import pytest

from support.jobs import (
    check_every_request_has_one_outcome,
    create_job,
    executions,
    operation_of,
    question,
    results_of,
    text_of,
    wait_for_answers,
)
from support.model_tables import echo_model
from support.server import started_server
from support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.system

REQUESTS = 1000


def test_sigterm_finishes_what_runs_and_a_restart_does_the_rest_once(tmp_path: Path) -> None:
    config = echo_model(delay_seconds=0.1, lanes=4)  # 25 seconds, whatever the machine
    with started_server(tmp_path, config=config, log_level="debug") as server:
        name = create_job(server, [question(index) for index in range(REQUESTS)])
        wait_for_answers(server, name, 10)
        assert server.stop() == 0
        assert len(server.events("server_stopped")) == 1
        begun = executions(server, name)
        answered = [event["index"] for event in server.events("request_finished")]
        assert sorted(answered) == sorted(begun)
        assert len(begun) < REQUESTS, "the job was over before the signal came"

        server.configure(echo_model())
        server.start()
        results = results_of(server, name)
        check_every_request_has_one_outcome(results, REQUESTS)
        assert [text_of(result) for result in results] == [
            f"This is question {index}." for index in range(REQUESTS)
        ]
        assert sorted(executions(server, name)) == list(range(REQUESTS))
        assert operation_of(server, name)["metadata"]["batchStats"] == {
            "requestCount": str(REQUESTS),
            "successfulRequestCount": str(REQUESTS),
        }


def test_requests_that_outlast_the_drain_run_again_after_the_restart(tmp_path: Path) -> None:
    config = echo_model(delay_seconds=3600.0, lanes=2)
    settings = {"log_level": "debug", "drain_seconds": 0.2}
    with started_server(tmp_path, config=config, **settings) as server:
        name = create_job(server, [question(index) for index in range(4)])
        server.wait_for_event("request_started", PATIENCE_SECONDS)
        assert server.stop() == 0
        assert server.events("request_finished") == []
        server.configure(echo_model())
        server.start()
        check_every_request_has_one_outcome(results_of(server, name), 4)


def test_polls_are_answered_while_the_server_drains(tmp_path: Path) -> None:
    config = echo_model(delay_seconds=3600.0, lanes=1)
    settings = {"log_level": "debug", "drain_seconds": PATIENCE_SECONDS}
    with started_server(tmp_path, config=config, **settings) as server:
        name = create_job(server, [question(index) for index in range(20)])
        server.wait_for_event("request_started", PATIENCE_SECONDS)
        server.ask_to_stop()
        server.wait_for_event("server_draining", PATIENCE_SECONDS)
        assert operation_of(server, name)["metadata"]["state"] == "JOB_STATE_RUNNING"
        # What runs is all that the end is waited for with.
        assert server.call("POST", f"/v1beta/{name}:cancel").status == 200
        assert server.wait_for_exit() == 0


@pytest.mark.model
def test_no_engine_outlives_a_server_that_stopped(tmp_path: Path) -> None:
    with started_server(tmp_path) as server:
        engines = server.child_pids()
        assert engines
        assert server.stop() == 0
        assert not any(Path(f"/proc/{pid}").exists() for pid in engines)
