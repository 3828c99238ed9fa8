"""The processes of a server, each run by itself, as a service manager would run them."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.alone import ApiAlone, run_toplu, start_worker
from support.jobs import check_every_request_has_one_outcome, create_job, question, results_of
from support.model_tables import echo_model
from support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.system

REQUESTS = 100
ASKED = {"contents": [{"parts": [{"text": "hello"}]}]}
GENERATE = "/v1beta/models/gemini-2.5-flash:generateContent"


class Part:
    """The processes of a data folder."""

    def __init__(self, tmp_path: Path, stack: ExitStack) -> None:
        self._stack = stack
        self.api = stack.enter_context(ApiAlone(tmp_path / "data", config=echo_model(replicas=2)))
        self._config = tmp_path / "data.toml"
        self._data = tmp_path / "data"
        self.api.command()  # writes the configuration

    def run(self, *command: str) -> "subprocess.CompletedProcess[bytes]":
        return run_toplu(*command, *self._options())

    def worker(self) -> "subprocess.Popen[bytes]":
        """Start a worker and return it when it works."""
        return start_worker(self._stack, *self._options())

    def _options(self) -> list[str]:
        return ["--data-dir", str(self._data), "--config", str(self._config)]


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Part]:
    with ExitStack() as stack:
        yield Part(tmp_path, stack)


def test_a_folder_is_brought_up_to_date_first(parts: Part) -> None:
    refused = parts.run("worker")
    assert refused.returncode == 2
    assert b"toplu migrate" in refused.stderr
    assert parts.run("migrate").returncode == 0


def test_an_api_and_workers_are_a_server_together(parts: Part) -> None:
    assert parts.run("migrate").returncode == 0
    api = parts.api.start(wait_until_ready=False)
    assert api.call("POST", GENERATE, ASKED).status == 503
    waiting = create_job(api, [question(index) for index in range(REQUESTS)])
    first, second = parts.worker(), parts.worker()
    check_every_request_has_one_outcome(results_of(api, waiting), REQUESTS)
    assert api.call("POST", GENERATE, ASKED).status == 200
    assert b"is owned by another server" in parts.run("serve", "--port", "0").stderr
    for worker in (first, second):
        worker.terminate()
        assert worker.wait(PATIENCE_SECONDS) == 0
    assert api.call("POST", GENERATE, ASKED).status == 503
    assert api.stop() == 0


def test_a_replica_is_not_owned_twice(parts: Part) -> None:
    assert parts.run("migrate").returncode == 0
    workers = [parts.worker(), parts.worker()]
    third = parts.worker()  # plans and assembles
    assert len({worker.pid for worker in [*workers, third]}) == 3
    assert parts.run("worker", "--models", "ecko").stderr.count(b"did you mean `echo`?") == 1
