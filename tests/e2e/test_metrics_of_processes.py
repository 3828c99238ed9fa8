"""One `/metrics` for all processes of a server, at a port of its own; each alone has its own."""

import http.client
import os
import signal
import subprocess
from pathlib import Path

import pytest

from support.figures import figure, samples
from support.jobs import create_job, question, results_of
from support.model_tables import echo_model
from support.ports import free_port
from support.server import TOPLU, clean_environment, started_server
from support.waiting import PATIENCE_SECONDS, eventually

pytestmark = pytest.mark.system

ASKED = {"contents": [{"parts": [{"text": "one two three"}]}]}
FLASH = "/v1beta/models/gemini-2.5-flash:generateContent"


def get(port: int, path: str = "/metrics", host: str = "localhost") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    try:
        connection.request("GET", path, headers={"host": host})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_one_port_shows_every_process_and_nothing_else(tmp_path: Path) -> None:
    port = free_port()
    config = echo_model(replicas=2, lanes=2)
    with started_server(tmp_path, config=config, workers=2, metrics_port=port) as server:
        assert server.call("POST", FLASH, ASKED).status == 200
        assert len(results_of(server, create_job(server, [question(i) for i in range(20)]))) == 20

        def all_is_counted() -> bytes | None:
            status, text = get(port)
            assert status == 200
            done = figure(text, "toplu_requests_total", kind="batch", outcome="succeeded")
            return text if done == 20 else None

        text = eventually(all_is_counted)
        lanes = {it.labels["process"]: it.value for it in samples(text, "toplu_lanes")}
        assert lanes == {"worker-1": 2, "worker-2": 2}
        processes = {it.labels["process"] for it in samples(text, "process_cpu_seconds_total")}
        assert processes == {"api", "worker-1", "worker-2"}
        assert figure(text, "toplu_requests_total", kind="call", outcome="succeeded") == 1
        assert figure(text, "toplu_replicas", process="api", model="echo") == 2
        assert text.count(b"# TYPE toplu_lanes ") == 1
        assert get(port, "/v1beta/models")[0] == 404
        assert get(port, host="evil.example")[0] == 403


def test_a_worker_that_is_killed_is_missed_and_then_back(tmp_path: Path) -> None:
    port = free_port()
    with started_server(tmp_path, config=echo_model(), workers=1, metrics_port=port) as server:
        os.kill(server.processes("worker")[0], signal.SIGKILL)

        def is_back() -> bool:
            status, text = get(port)
            assert status == 200
            return figure(text, "toplu_lanes", process="worker-1", model="echo") > 0

        eventually(is_back)
        ended = [event["name"] for event in server.events("process_ended")]
        assert ended == ["worker-1"]


def test_a_port_in_use_ends_the_start_with_the_setting(tmp_path: Path) -> None:
    port = free_port()
    with started_server(tmp_path, config=echo_model(), metrics_port=port) as server:
        other = subprocess.run(
            [
                *(TOPLU, "serve", "--port", "0", "--data-dir", tmp_path / "other"),
                *("--config", tmp_path / "data.toml"),
            ],
            env=clean_environment({"metrics_port": str(port)}),
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert server.is_running
    assert other.returncode == 2, other.stderr
    assert "metrics_port" in other.stderr
