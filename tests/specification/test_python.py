"""The specification's Python examples, through the official google-genai package."""

import base64
import hashlib
import json

import pytest

from support.server import Server
from support.specification.batches import ANSWER_TOKENS, Batches
from support.specification.examples import Examples, given, texts_of
from support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def inline_job(python: Examples) -> str:
    return python.run("create_inline").find(r"^Created batch job: (batches/[a-z0-9]+)\n$")


@pytest.fixture(scope="module")
def file_job(python: Examples, server: Server) -> str:
    finished = python.run("upload_file", "create_from_file")
    _check_upload(server, finished.find(r"Uploaded file: (files/[a-z0-9]{12})\n"), finished.folder)
    return finished.find(r"Created batch job: (batches/[a-z0-9]+)\n")


def _check_upload(server, name, folder):
    file = server.call("GET", f"/v1beta/{name}").json()
    content = (folder / "my-batch-requests.jsonl").read_bytes()
    digest = hashlib.sha256(content).hexdigest().encode()
    assert file["displayName"] == "my-batch-requests"
    assert file["mimeType"] == "jsonl"
    assert file["sizeBytes"] == str(len(content))
    assert file["sha256Hash"] == base64.b64encode(digest).decode()
    assert file["state"] == "ACTIVE"


def test_inline_requests_become_a_batch(inline_job: str, batches: Batches) -> None:
    metadata = batches.finished(inline_job)["metadata"]
    assert metadata["displayName"] == "inlined-requests-job-1"
    assert metadata["model"] == "models/gemini-2.5-flash"
    assert metadata["batchStats"]["requestCount"] == "2"


def test_the_monitoring_loop_ends_when_the_batch_has_succeeded(
    python: Examples, file_job: str, batches: Batches
) -> None:
    finished = python.run("monitor", fill_in={"YOUR_BATCH_JOB_NAME": file_job})
    lines = finished.stdout.splitlines()
    assert lines[0] == f"Polling status for job: {file_job}"
    assert lines[-1] == "Job finished with state: JOB_STATE_SUCCEEDED"
    assert {line.removeprefix("Current state: JOB_STATE_") for line in lines[1:-1]} <= {
        "PENDING",
        "RUNNING",
    }
    operation = batches.get(file_job)
    assert operation["done"] is True
    assert operation["metadata"]["displayName"] == "file-upload-job-1"


def test_inline_results_are_printed_as_the_server_holds_them(
    python: Examples, inline_job: str, batches: Batches
) -> None:
    operation = batches.finished(inline_job)
    results = operation["metadata"]["output"]["inlinedResponses"]["inlinedResponses"]
    texts = texts_of(results)
    assert len(texts) == 2
    finished = python.run("results", fill_in={"YOUR_BATCH_JOB_NAME": inline_job})
    assert finished.stdout == (
        f"Results are inline:\nResponse 1:\n{texts[0]}\nResponse 2:\n{texts[1]}\n"
    )


def test_file_results_are_downloaded_in_the_order_of_the_requests(
    python: Examples, file_job: str, batches: Batches
) -> None:
    results_file = batches.finished(file_job)["metadata"]["output"]["responsesFile"]
    finished = python.run("results", fill_in={"YOUR_BATCH_JOB_NAME": file_job})
    head, content = finished.stdout.split("Downloading result file content...\n")
    assert head == f"Results are in file: {results_file}\n"
    results = [json.loads(line) for line in content.splitlines() if line]
    assert [result["key"] for result in results] == ["request-1", "request-2"]
    texts_of(results)
    for result in results:
        assert result["response"]["usageMetadata"]["candidatesTokenCount"] <= ANSWER_TOKENS


def test_a_system_instruction_reaches_the_model(python: Examples, batches: Batches) -> None:
    create = """
from google import genai
client = genai.Client()
job = client.batches.create(model="gemini-2.5-flash", src=inline_requests_list)
print(job.name)"""
    name = python.run("request_configuration", given(create)).find(r"^(batches/[a-z0-9]+)\n$")
    results = batches.finished(name)["response"]["inlinedResponses"]["inlinedResponses"]
    assert len(texts_of(results)) == 2
    batches.check_neko_was_told(results[1])


def test_a_batch_that_is_being_watched_can_be_cancelled(
    python: Examples, batches: Batches, server: Server
) -> None:
    name = batches.create_long()
    watching = python.start("monitor", fill_in={"YOUR_BATCH_JOB_NAME": name})
    server.wait_until(
        lambda: "Current state: JOB_STATE_RUNNING" in watching.printed(),
        PATIENCE_SECONDS,
        "the loop",
    )
    python.run(_job("batch_job_to_cancel", name), "cancel")
    assert batches.state(name) == "JOB_STATE_CANCELLED"
    watched = watching.finish()
    assert watched.code == 0, watched.stderr
    assert watched.stdout.endswith("Job finished with state: JOB_STATE_CANCELLED\n")
    operation = batches.get(name)
    assert operation["error"]["code"] == 1
    assert "response" not in operation

    finished = python.run("results", fill_in={"YOUR_BATCH_JOB_NAME": name})
    assert finished.stdout == "Job did not succeed. Final state: JOB_STATE_CANCELLED\n"


def test_a_deleted_batch_is_gone(python: Examples, batches: Batches, server: Server) -> None:
    name = python.run("create_inline").find(r"(batches/[a-z0-9]+)\n")
    batches.finished(name)
    assert name in batches.names()
    python.run(_job("batch_job_to_delete", name), "delete")
    assert server.call("GET", f"/v1beta/{name}").status == 404
    assert name not in batches.names()


def _job(variable, name):
    return given(
        "from google import genai\n"
        "client = genai.Client()\n"
        f"{variable} = client.batches.get(name={name!r})\n"
    )
