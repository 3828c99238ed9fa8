"""kill -9 of the server: nothing is lost, nothing is doubled, little is done twice."""

import json
import random
from pathlib import Path

import pytest

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
from support.model_tables import echo_model, quick_model
from support.server import Server, started_server
from support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.system

REQUESTS = 600
LANES = 4
KILLS = 4
# A lane holds one running request and one behind it.
IN_FLIGHT = 2 * LANES
# Answers that come while a group of results is being made durable: 200 a second, for 50 ms and
# a slow fsync. Without the log of results, 400 requests at least would run twice.
ONE_COMMIT = 40


@pytest.mark.parametrize("seed", [1, 2])
def test_a_killed_server_loses_no_result_and_repeats_few(tmp_path: Path, seed: int) -> None:
    moments = random.Random(seed)
    config = echo_model(delay_seconds=0.02, lanes=LANES)
    with started_server(tmp_path, config=config, log_level="debug") as server:
        name = create_job(server, [question(index) for index in range(REQUESTS)])
        answers = 0
        for _ in range(KILLS):
            answers += moments.randint(40, REQUESTS // (KILLS + 2))
            wait_for_answers(server, name, answers)
            server.kill()
            server.start()

        results = results_of(server, name)
        check_every_request_has_one_outcome(results, REQUESTS)
        assert [text_of(result) for result in results] == [
            f"This is question {index}." for index in range(REQUESTS)
        ]
        begun = executions(server, name)
        assert set(begun) == set(range(REQUESTS))
        assert len(begun) <= REQUESTS + KILLS * (IN_FLIGHT + ONE_COMMIT)


def test_a_server_that_is_killed_while_it_starts_recovers_all_the_same(tmp_path: Path) -> None:
    config = echo_model(delay_seconds=0.02, lanes=LANES)
    with started_server(tmp_path, config=config, log_level="debug") as server:
        name = create_job(server, [question(index) for index in range(REQUESTS)])
        wait_for_answers(server, name, 50)
        server.kill()
        for _ in range(3):
            server.start(wait_until_ready=False)
            server.kill()
        server.start()
        check_every_request_has_one_outcome(results_of(server, name), REQUESTS)


def test_what_was_read_of_a_running_job_is_there_after_a_kill(tmp_path: Path) -> None:
    config = echo_model(delay_seconds=0.2, lanes=LANES)
    with started_server(tmp_path, config=config, log_level="debug") as server:
        name = create_job(server, [question(index) for index in range(REQUESTS)])
        wait_for_answers(server, name, 30)
        before = server.call("GET", f"/v1beta/{name}:results").body.splitlines()
        assert before
        server.kill()
        server.start()
        assert server.call("POST", f"/v1beta/{name}:cancel").status == 200
        reply = server.call("GET", f"/v1beta/{name}:results")
        after = reply.body.splitlines()
        assert set(before) <= set(after)
        assert reply.headers["x-toplu-result-count"] == str(len(after))
        numbers = [json.loads(line)["line"] for line in after]
        assert numbers == sorted(set(numbers))


def test_finished_work_and_cancellations_survive_a_kill(tmp_path: Path) -> None:
    config = echo_model(delay_seconds=0.2, lanes=LANES)
    with started_server(tmp_path, config=config, log_level="debug") as server:
        done = create_job(server, [question(index) for index in range(5)])
        before = results_of(server, done)
        cancelled = create_job(server, [question(index) for index in range(REQUESTS)])
        wait_for_answers(server, cancelled, 10)
        assert server.call("POST", f"/v1beta/{cancelled}:cancel").status == 200
        server.kill()
        server.start()
        assert results_of(server, done) == before
        assert _state(server, cancelled) == "JOB_STATE_CANCELLED"


@pytest.mark.model
def test_a_killed_server_takes_its_engine_with_it_and_the_next_one_goes_on(tmp_path: Path) -> None:
    count = 24
    config = quick_model(48)
    with started_server(tmp_path, config=config, log_level="debug") as server:
        name = create_job(
            server,
            [greedy_question(index, "Say hello.") for index in range(count)],
        )
        wait_for_answers(server, name, 6)
        engines = server.child_pids()
        assert engines
        server.kill()
        server.start()
        server.wait_until(
            lambda: not any(Path(f"/proc/{pid}").exists() for pid in engines),
            PATIENCE_SECONDS,
            "the old engine to end",
        )
        results = results_of(server, name)
        check_every_request_has_one_outcome(results, count)
        assert all(text_of(result).strip() for result in results)


def _state(server: Server, name: str) -> str:
    return str(operation_of(server, name)["metadata"]["state"])
