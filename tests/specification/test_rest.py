"""The specification's shell examples, as they are printed there, with bash, curl, jq and file."""

import json
from pathlib import Path

import pytest

from support.model_tables import echo_model, model_table
from support.server import Server, started_server
from support.specification.batches import Batches
from support.specification.examples import Examples, given, texts_of

pytestmark = pytest.mark.model

BATCH = "batches/123456"
FILE = "files/123456"


@pytest.fixture(scope="module")
def inline_job(rest: Examples) -> str:
    operation = json.loads(rest.run("create_inline").stdout)
    assert operation["done"] is False
    return operation["name"]


@pytest.fixture(scope="module")
def upload(rest: Examples) -> Path:
    """The folder of the upload, with the server's reply in file_info.json."""
    return rest.run("upload_file", given('echo "uri: ${file_uri}"')).folder


@pytest.fixture(scope="module")
def file_job(rest: Examples, upload: Path) -> str:
    file = json.loads((upload / "file_info.json").read_text())["file"]
    finished = rest.run("create_from_file", fill_in={FILE: file["name"]})
    return json.loads(finished.stdout)["name"]


def test_a_file_is_uploaded_by_curl(upload: Path, server: Server) -> None:
    file = json.loads((upload / "file_info.json").read_text())["file"]
    sent = (upload / "batch_input.tmp").read_bytes()
    assert (upload / "stdout").read_text() == f'uri: "{file["uri"]}"\n'
    assert server.call("GET", f"/v1beta/{file['name']}").json() == file
    assert file["displayName"] == "BatchInput"
    assert file["sizeBytes"] == str(len(sent))


def test_inline_requests_become_a_batch(inline_job: str, batches: Batches) -> None:
    metadata = batches.finished(inline_job)["metadata"]
    assert metadata["displayName"] == "my-batch-requests"
    assert metadata["batchStats"]["requestCount"] == "2"


def test_inline_results_carry_the_metadata_of_their_requests(
    rest: Examples, inline_job: str, batches: Batches
) -> None:
    batches.finished(inline_job)
    finished = rest.run("results", fill_in={BATCH: inline_job})
    results = json.loads(finished.stdout)["inlinedResponses"]
    assert [result["metadata"] for result in results] == [
        {"key": "request-1"},
        {"key": "request-2"},
    ]
    texts_of(results)


def test_file_results_are_downloaded_in_the_order_of_the_requests(
    rest: Examples, file_job: str, upload: Path, batches: Batches, server: Server
) -> None:
    operation = batches.finished(file_job)
    assert operation["metadata"]["displayName"] == "my-batch-requests"
    finished = rest.run("results", fill_in={BATCH: file_job})
    results = [json.loads(line) for line in finished.stdout.splitlines()]
    assert len(results) == len((upload / "batch_input.tmp").read_text().splitlines())
    texts_of(results)
    results_file = operation["response"]["responsesFile"]
    held = server.call("GET", f"/v1beta/{results_file}:download?alt=media").body
    assert finished.stdout.encode() == held


def test_the_keyed_input_file_of_the_specification_gives_keyed_results(
    rest: Examples, batches: Batches
) -> None:
    keyed = Path(__file__).with_name("my-batch-requests.json")
    uploaded = rest.run(
        "upload_file", fill_in={"> batch_input.tmp": f"> /dev/null; cp '{keyed}' batch_input.tmp"}
    )
    file = json.loads((uploaded.folder / "file_info.json").read_text())["file"]
    created = rest.run("create_from_file", fill_in={FILE: file["name"]})
    name = json.loads(created.stdout)["name"]
    batches.finished(name)
    finished = rest.run("results", fill_in={BATCH: name})
    results = [json.loads(line) for line in finished.stdout.splitlines()]
    assert [result["key"] for result in results] == ["request-1", "request-2"]
    texts_of(results)


def test_the_status_example_tells_running_from_cancelled(rest: Examples, batches: Batches) -> None:
    name = batches.create_long()
    running = rest.run("results", fill_in={BATCH: name})
    assert running.stdout == "Batch has not finished processing\n"

    # The example's cancel call has neither -X nor -d: it is a GET.
    cancelled = rest.run("cancel", fill_in={BATCH: name})
    reply, state = cancelled.stdout.rsplit("}", 1)
    assert json.loads(reply + "}") == {}
    assert state.strip() == "JOB_STATE_CANCELLED"

    after = rest.run("results", fill_in={BATCH: name})
    assert after.stdout == "Batch was cancelled by the user\n"


def test_the_status_example_says_why_a_batch_failed(tmp_path: Path) -> None:
    no_model = tmp_path / "no-model.gguf"
    no_model.write_bytes(b"GGUF, and then nothing")
    config = model_table(source=f"path:{no_model}", sha256=None)
    settings = {"engine_start_attempts_max": "1"}
    with Server(tmp_path / "data", settings, config) as server:
        server.start(wait_until_ready=False)
        rest = Examples(language="rest", server=server, workplace=tmp_path)
        name = json.loads(rest.run("create_inline").stdout)["name"]
        operation = Batches(server).finished(name)
        finished = rest.run("results", fill_in={BATCH: name})
        assert json.loads(finished.stdout) == operation["error"]
        assert "does not start" in operation["error"]["message"]


def test_the_status_example_tells_that_a_batch_has_expired(tmp_path: Path) -> None:
    config = echo_model(delay_seconds=60.0)
    with started_server(tmp_path, config=config, job_life_seconds=1) as server:
        rest = Examples(language="rest", server=server, workplace=tmp_path)
        name = json.loads(rest.run("create_inline").stdout)["name"]
        assert Batches(server).finished(name)["metadata"]["state"] == "JOB_STATE_EXPIRED"
        finished = rest.run("results", fill_in={BATCH: name})
        assert finished.stdout == "Batch expired after 48 hours\n"


def test_a_deleted_batch_is_gone(rest: Examples, batches: Batches, server: Server) -> None:
    name = json.loads(rest.run("create_inline").stdout)["name"]
    batches.finished(name)
    # The example's delete call is a GET as well.
    finished = rest.run("delete", fill_in={BATCH: name})
    assert json.loads(finished.stdout) == {}
    assert server.call("GET", f"/v1beta/{name}").status == 404
    assert name not in batches.names()
