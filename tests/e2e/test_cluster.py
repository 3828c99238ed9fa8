"""Many machines: each with a folder of its own, and rows, bytes and a secret in common."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from google import genai
from google.genai import types

from support.alone import ApiAlone, run_toplu, start_worker
from support.bucket import own_part, running_bucket
from support.model_tables import echo_model
from support.store.running_postgres import RunningPostgres, running_postgres
from support.waiting import eventually
from toplu.settings.storage.bucket import BucketSettings

pytestmark = [pytest.mark.postgres, pytest.mark.system]

REQUESTS = 400
SECRET = "0123456789abcdef" * 2
QUESTION = "Which machine are you?"


@pytest.fixture(scope="module")
def postgres() -> Iterator[RunningPostgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BucketSettings]:
    with running_bucket(tmp_path_factory.mktemp("bucket")) as settings:
        yield settings


class Machines:
    """The machines of one cluster."""

    def __init__(self, folder: Path, url: str, bucket: BucketSettings, stack: ExitStack) -> None:
        (folder / "url").write_text(url)
        self._folder = folder
        self._bucket = bucket
        self._stack = stack
        self.config = self._write("with-secret", SECRET)

    def _write(self, name: str, secret: str) -> str:
        (self._folder / name).write_text(secret)
        tables = (
            f'[store]\nurl_file = "{self._folder / "url"}"',
            f'[bucket]\nurl = "{self._bucket.url}"\nendpoint = "{self._bucket.endpoint}"',
            f'credentials_file = "{self._bucket.credentials_file}"\nflush_seconds = 0.05',
            f'[cluster]\ndoor = "127.0.0.1:0"\nsecret_file = "{self._folder / name}"',
            echo_model(replicas=2, delay_seconds=0.05),
        )
        return "\n".join(tables)

    def migrate(self) -> None:
        done = run_toplu("migrate", *self._options("first"))
        assert done.returncode == 0, done.stderr

    def api(self, name: str, *, secret: str = SECRET) -> ApiAlone:
        config = self._write(f"secret-of-{name}", secret)
        return self._stack.enter_context(ApiAlone(self._folder / name, config=config)).start()

    def worker(self, name: str) -> "subprocess.Popen[bytes]":
        """Start a machine that works, and return when it does."""
        return start_worker(self._stack, *self._options(name))

    def _options(self, name: str) -> list[str]:
        config = self._folder / f"{name}.toml"
        config.write_text(self.config)
        return ["--data-dir", str(self._folder / name), "--config", str(config)]


@pytest.fixture
def machines(
    postgres: RunningPostgres, bucket: BucketSettings, tmp_path: Path
) -> Iterator[Machines]:
    with ExitStack() as stack:
        yield Machines(tmp_path, postgres.empty(), own_part(bucket), stack)


def client_of(api: ApiAlone) -> genai.Client:
    return genai.Client(api_key="any", http_options={"base_url": api.url})


def ask(client: genai.Client) -> str:
    return str(client.models.generate_content(model="gemini-2.5-flash", contents=QUESTION).text)


def line_of(number: int) -> dict[str, object]:
    contents = [{"parts": [{"text": f"number {number}"}]}]
    return {"key": f"k{number}", "request": {"contents": contents}}


def done_of(api: ApiAlone, name: str) -> int:
    stats = api.call("GET", f"/v1beta/{name}").json()["metadata"].get("batchStats", {})
    return int(stats.get("successfulRequestCount", 0))


def test_a_batch_and_calls_outlive_a_machine(machines: Machines, tmp_path: Path) -> None:
    machines.migrate()
    first, second = machines.worker("first"), machines.worker("second")
    apis = machines.api("one"), machines.api("two")
    one, two = (client_of(api) for api in apis)
    lines = tmp_path / "in.jsonl"
    lines.write_text("".join(json.dumps(line_of(n)) + "\n" for n in range(REQUESTS)))
    uploaded = one.files.upload(
        file=str(lines), config=types.UploadFileConfig(mime_type="application/jsonl")
    )
    name = two.batches.create(model="gemini-2.5-flash", src=str(uploaded.name)).name
    assert name is not None
    assert ask(one) == ask(two) == QUESTION
    eventually(lambda: done_of(apis[0], name) > REQUESTS // 10)
    first.kill()
    # The other worker has the model as well: a call goes there at once.
    assert ask(one) == ask(two) == QUESTION
    eventually(lambda: two.batches.get(name=name).done)
    batch = two.batches.get(name=name)
    assert batch.state is not None
    assert batch.state.name == "JOB_STATE_SUCCEEDED", batch.error
    assert batch.dest is not None
    results = one.files.download(file=str(batch.dest.file_name)).decode().splitlines()
    assert [f'"k{n}"' in line and f"number {n}" in line for n, line in enumerate(results)] == (
        [True] * REQUESTS
    )
    assert second.poll() is None


def test_an_api_with_another_secret_comes_to_no_worker(machines: Machines) -> None:
    machines.migrate()
    machines.worker("first")
    ours, theirs = machines.api("ours"), machines.api("theirs", secret="another" * 6)
    body = {"contents": [{"parts": [{"text": QUESTION}]}]}
    path = "/v1beta/models/gemini-2.5-flash:generateContent"
    assert ours.call("POST", path, body).status == 200
    refused = theirs.call("POST", path, body)
    assert refused.status == 503
    assert theirs.events("door_refuses")
    everything = "".join(ours.log_lines + theirs.log_lines)
    assert SECRET not in everything
    assert "another" * 6 not in everything
