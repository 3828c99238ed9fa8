"""The engine's process is killed or hangs: the API stays up, every request gets its outcome."""

import os
import signal
from pathlib import Path

import pytest
from google.genai import errors

from support.clients import sdk_client
from support.jobs import (
    check_every_request_has_one_outcome,
    create_job,
    greedy_question,
    operation_of,
    results_of,
    text_of,
    wait_for_answers,
)
from support.model_tables import quick_model
from support.server import Server, started_server
from support.waiting import PATIENCE_SECONDS

pytestmark = [pytest.mark.model, pytest.mark.system]

REQUESTS = 16
POISON = 2
CRASHES = 3
LONG = "Count from one to one thousand."


def test_a_killed_engine_costs_no_request_its_answer(tmp_path: Path) -> None:
    config = quick_model(48)
    with started_server(tmp_path, config=config, log_level="debug") as server:
        name = create_job(server, [greedy_question(index, LONG) for index in range(REQUESTS)])
        for answers in (2, 8):
            wait_for_answers(server, name, answers)
            kill_engine(server)
            assert operation_of(server, name)["done"] is False
        results = results_of(server, name)
        check_every_request_has_one_outcome(results, REQUESTS)
        assert all(text_of(result).strip() for result in results)


def test_a_request_that_brings_the_engine_down_each_time_gets_an_error_alone(
    tmp_path: Path,
) -> None:
    config = quick_model(200)
    with started_server(tmp_path, config=config, log_level="debug") as server:
        lines = [
            greedy_question(index, "Say hello.", maxOutputTokens=16) for index in range(REQUESTS)
        ]
        lines[POISON] = greedy_question(POISON, LONG)
        name = create_job(server, lines)
        job = name.removeprefix("batches/")
        label = f"{job}#{POISON}"
        server.wait_for_event("request_started", PATIENCE_SECONDS, job=job, index=POISON)
        kill_engine(server)
        for crashes in range(1, CRASHES):
            # Alone in the engine means that this kill is no one else's fault.
            server.wait_for_event(
                "request_runs_alone", PATIENCE_SECONDS, label=label, crashes=crashes
            )
            kill_engine(server)
        server.wait_for_event("request_condemned", PATIENCE_SECONDS, label=label)
        results = results_of(server, name)
        check_every_request_has_one_outcome(results, REQUESTS)
        failed = {result["key"]: result["error"] for result in results if "error" in result}
        assert list(failed) == [f"request-{POISON}"], failed
        assert failed[f"request-{POISON}"]["code"] == 13
        assert operation_of(server, name)["metadata"]["batchStats"] == {
            "requestCount": str(REQUESTS),
            "successfulRequestCount": str(REQUESTS - 1),
            "failedRequestCount": "1",
        }


def test_an_engine_that_hangs_is_replaced_and_costs_no_request_its_answer(tmp_path: Path) -> None:
    config = quick_model(48)
    with started_server(
        tmp_path, config=config, log_level="debug", engine_silence_seconds_max=3
    ) as server:
        name = create_job(server, [greedy_question(index, LONG) for index in range(REQUESTS)])
        wait_for_answers(server, name, 2)
        hung = stop_engine(server)
        died = server.wait_for_event("engine_died", PATIENCE_SECONDS, pid=hung)
        assert died["reason"] == "The engine does not answer."
        assert died["exit_code"] == -signal.SIGKILL
        assert server.call("GET", "/healthz").status == 200
        results = results_of(server, name)
        check_every_request_has_one_outcome(results, REQUESTS)
        assert all(text_of(result).strip() for result in results)
        # Nobody asks it anything: what tells is that it does not say how it is.
        server.wait_until(
            lambda: server.call("GET", "/readyz").status == 200, PATIENCE_SECONDS, "an engine"
        )
        idle = stop_engine(server)
        died = server.wait_for_event("engine_died", PATIENCE_SECONDS, pid=idle)
        assert died["reason"] == "The engine does not answer."
        server.wait_until(
            lambda: server.call("GET", "/readyz").status == 200, PATIENCE_SECONDS, "an engine"
        )


def test_a_stream_whose_engine_is_killed_ends_with_an_error_and_the_next_one_is_whole(
    tmp_path: Path,
) -> None:
    with (
        started_server(tmp_path, config=quick_model(1000), log_level="debug") as server,
        sdk_client(server.url) as client,
    ):
        ask = client.models.generate_content_stream
        chunks = ask(model="gemini-2.5-flash", contents=LONG, config={"temperature": 0})
        assert next(chunks).text
        kill_engine(server)
        # Had it been complete when its first chunk came, there would be no error.
        with pytest.raises(errors.ServerError, match="in the middle of the answer"):
            list(chunks)
        config = {"temperature": 0, "max_output_tokens": 4}
        *_, last = ask(model="gemini-2.5-flash", contents=LONG, config=config)
        assert last.usage_metadata.candidates_token_count == 4


def kill_engine(server: Server) -> None:
    """Kill the engine that runs, and return when it is gone."""
    server.wait_until(lambda: len(server.child_pids()) == 1, PATIENCE_SECONDS, "an engine to run")
    (engine,) = server.child_pids()
    os.kill(engine, signal.SIGKILL)
    server.wait_for_event("engine_died", PATIENCE_SECONDS, pid=engine)


def stop_engine(server: Server) -> int:
    """Let the engine that runs stand still; return its process."""
    server.wait_until(lambda: len(server.child_pids()) == 1, PATIENCE_SECONDS, "an engine to run")
    (engine,) = server.child_pids()
    os.kill(engine, signal.SIGSTOP)
    return engine
