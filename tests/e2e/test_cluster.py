"""Many machines: each with a folder of its own, and rows, bytes and a secret in common."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from google import genai
from google.genai import types
from standardwebhooks import Webhook as Verifier

from support.alone import ApiAlone
from support.api.pages import page_of
from support.bucket import own_part
from support.machines import SECRET, Machines
from support.store.running_postgres import RunningPostgres
from support.waiting import eventually
from support.webhooks.receiver import Receiver
from toplu.settings.storage.bucket import BucketSettings

pytestmark = [pytest.mark.postgres, pytest.mark.system]

REQUESTS = 400
QUESTION = "Which machine are you?"


@pytest.fixture
def machines(
    postgres: RunningPostgres, store: BucketSettings, tmp_path: Path
) -> Iterator[Machines]:
    with ExitStack() as stack:
        yield Machines(tmp_path, postgres.empty(), own_part(store), stack)


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


def test_what_one_machine_signs_and_seals_holds_at_all(machines: Machines) -> None:
    machines.migrate()
    key = machines.new_key()
    machines.worker("first")
    one, two = machines.api("one"), machines.api("two")
    with page_of(one, key) as page:
        assert page.get(f"{two.url}/ui/batches").status_code == 200
    with Receiver() as receiver:
        hook = {"name": "mine", "uri": receiver.uri, "subscribed_events": ["batch.succeeded"]}
        made = one.call("POST", "/v1beta/webhooks", hook, key=key)
        assert made.status == 200, made.body
        path = f"/v1beta/webhooks/{made.json()['id']}:ping"
        assert two.call("POST", path, {}, key=key).status == 200
        (ping,) = receiver.wait_for(1)
        Verifier(made.json()["new_signing_secret"]).verify(ping.body, ping.headers)
