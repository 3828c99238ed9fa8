"""Many processes over rows on PostgreSQL: two that answer calls, two that work."""

import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from google import genai

from support.alone import ApiAlone, run_toplu, start_worker
from support.jobs import check_every_request_has_one_outcome, create_job, question, results_of
from support.model_tables import echo_model
from support.server import Server
from support.store.running_postgres import RunningPostgres
from support.waiting import eventually

pytestmark = [pytest.mark.postgres, pytest.mark.system]

REQUESTS = 400
SLOW = 0.05  # seconds of a request


class Cluster:
    """The processes; their rows are on the server, their bytes in one folder."""

    def __init__(self, folder: Path, url: str, stack: ExitStack) -> None:
        (folder / "url").write_text(url)
        self._config = f'[store]\nurl_file = "{folder / "url"}"\n'
        self._config += echo_model(replicas=2, delay_seconds=SLOW)
        self._folder = folder
        self._stack = stack

    def api(self) -> ApiAlone:
        part = self._stack.enter_context(ApiAlone(self._folder / "data", config=self._config))
        part.command()  # writes the configuration
        return part

    def run(self, *command: str) -> "subprocess.CompletedProcess[bytes]":
        return run_toplu(*command, *self._options())

    def worker(self) -> "subprocess.Popen[bytes]":
        """Start a worker and return it when it works."""
        return start_worker(self._stack, *self._options())

    def _options(self) -> list[str]:
        data = self._folder / "data"
        return ["--data-dir", str(data), "--config", str(self._folder / "data.toml")]


@pytest.fixture
def cluster(postgres: RunningPostgres, tmp_path: Path) -> Iterator[Cluster]:
    with ExitStack() as stack:
        yield Cluster(tmp_path, postgres.empty(), stack)


def test_a_process_that_finds_no_tables_says_so_and_ends(cluster: Cluster) -> None:
    cluster.api()
    for command in (["api", "--port", "0"], ["worker"], ["serve", "--port", "0"]):
        refused = cluster.run(*command)
        assert refused.returncode == 2
        assert b"toplu migrate" in refused.stderr
    assert cluster.run("migrate").returncode == 0
    refused = cluster.run("backup", "somewhere")
    assert refused.returncode == 2
    assert b"pg_dump" in refused.stderr


def test_a_batch_outlives_a_worker(cluster: Cluster) -> None:
    one, two = cluster.api(), cluster.api()
    assert cluster.run("migrate").returncode == 0
    first, second = cluster.worker(), cluster.worker()
    one.start()
    two.start()
    client = genai.Client(api_key="any", http_options={"base_url": one.url})
    other = genai.Client(api_key="any", http_options={"base_url": two.url})
    requests = [{"contents": [{"parts": [{"text": f"number {n}"}]}]} for n in range(REQUESTS)]
    name = client.batches.create(model="gemini-2.5-flash", src=requests).name
    assert name is not None
    eventually(lambda: _answered(two, name) > REQUESTS // 10)
    first.kill()
    eventually(lambda: other.batches.get(name=name).done)
    batch = other.batches.get(name=name)
    assert batch.state is not None
    assert batch.state.name == "JOB_STATE_SUCCEEDED"
    assert batch.dest is not None
    answers = batch.dest.inlined_responses
    assert answers is not None
    assert [f"number {n}" in str(it.response.text) for n, it in enumerate(answers)] == (
        [True] * REQUESTS
    )
    assert second.poll() is None


def _answered(api: Server, name: str) -> int:
    batch = api.call("GET", f"/v1beta/{name}").json()
    return int(batch["metadata"]["batchStats"].get("successfulRequestCount", 0))


def test_a_server_that_starts_anew_costs_503s_and_nothing_else(
    cluster: Cluster, postgres: RunningPostgres
) -> None:
    api = cluster.api()
    assert cluster.run("migrate").returncode == 0
    workers = [cluster.worker() for _ in range(2)]
    api.start()
    jobs = [create_job(api, [question(index) for index in range(REQUESTS)])]
    postgres.stop()
    replies = [api.call("GET", f"/v1beta/{jobs[0]}") for _ in range(2)]
    postgres.start()
    assert [it.status for it in replies] == [503, 503]
    assert all(it.headers["retry-after"] == "5" for it in replies)
    statuses: Counter[int] = Counter()
    for _ in range(3):
        postgres.stop()
        asking = threading.Thread(
            target=lambda: statuses.update([api.call("GET", f"/v1beta/{jobs[0]}").status])
        )
        asking.start()
        postgres.start()
        asking.join()
        jobs.append(create_job(api, [question(index) for index in range(10)]))
    assert set(statuses) <= {200, 503}
    check_every_request_has_one_outcome(results_of(api, jobs[0]), REQUESTS)
    for job in jobs[1:]:
        check_every_request_has_one_outcome(results_of(api, job), 10)
    assert [worker.poll() for worker in workers] == [None, None]
    assert not api.events("call_crashed")
