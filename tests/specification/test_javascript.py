"""The specification's JavaScript examples, through the official @google/genai package."""

import json
import re

import pytest

from support.server import Server
from support.specification.batches import Batches
from support.specification.examples import Examples, given, texts_of
from support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.model

CLIENT = given(
    "import {GoogleGenAI} from '@google/genai';\n"
    "const ai = new GoogleGenAI({apiKey: process.env.GEMINI_API_KEY});"
)
READ_FILE = given("import {readFileSync} from 'fs';")
UPLOAD_RUNS_MAX = 5
NAME = r"name: '(batches/[a-z0-9]+)'"


@pytest.fixture(scope="module")
def inline_job(javascript: Examples) -> str:
    return javascript.run("create_inline").find(NAME)


@pytest.fixture(scope="module")
def file_job(javascript: Examples, server: Server) -> str:
    folder = _upload(javascript)
    finished = javascript.run("upload_file", "create_from_file", folder=folder)
    file = server.call("GET", f"/v1beta/{finished.find(r'(files/[a-z0-9]{12})')}").json()
    content = (folder / "my-batch-requests.jsonl").read_bytes()
    assert file["sizeBytes"] == str(len(content))
    assert file["mimeType"] == "jsonl"
    return finished.find(NAME)


def _upload(javascript):
    """Run the upload as its reader has to, until the file that it writes is there.

    The example does not wait for its own file: the first run finds none, the second may find
    it empty and then send more than it has declared.
    """
    folder = None
    for _ in range(UPLOAD_RUNS_MAX):
        finished = javascript.start("upload_file", folder=folder).finish()
        folder = finished.folder
        if finished.code == 0:
            return folder
        assert re.search(
            "ENOENT: no such file or directory, stat 'my-batch-requests.jsonl'"
            "|The upload has more bytes than the 0 that it may have",
            finished.stderr,
        ), finished.stderr
    pytest.fail(f"the upload failed {UPLOAD_RUNS_MAX} times")


def test_inline_requests_become_a_batch(inline_job: str, batches: Batches) -> None:
    metadata = batches.finished(inline_job)["metadata"]
    assert metadata["displayName"] == "inlined-requests-job-1"
    assert metadata["model"] == "models/gemini-2.5-flash"
    assert metadata["batchStats"]["requestCount"] == "2"


def test_the_monitoring_loop_ends_when_the_batch_has_succeeded(
    javascript: Examples, file_job: str, batches: Batches
) -> None:
    both_clients = given(f"const client = ai;\nconst inlinedBatchJob = {{name: '{file_job}'}};")
    finished = javascript.run(CLIENT, both_clients, "monitor")
    assert finished.stdout.endswith("Job finished with state: JOB_STATE_SUCCEEDED\n")
    assert batches.get(file_job)["metadata"]["displayName"] == "file-upload-job-1"


def test_inline_results_are_printed_as_the_server_holds_them(
    javascript: Examples, inline_job: str, batches: Batches
) -> None:
    operation = batches.finished(inline_job)
    results = operation["metadata"]["output"]["inlinedResponses"]["inlinedResponses"]
    assert len(texts_of(results)) == 2
    finished = javascript.run(CLIENT, "results", fill_in={"YOUR_BATCH_JOB_NAME": inline_job})
    assert "Found completed batch: inlined-requests-job-1\n" in finished.stdout
    printed = finished.stdout.split("Results are inline:\n")[1]
    for number, result in enumerate(results, start=1):
        assert f"Response {number}:\n" in printed
        assert result["response"]["responseId"] in printed


def test_file_results_are_downloaded_in_the_order_of_the_requests(
    javascript: Examples, file_job: str, batches: Batches
) -> None:
    operation = batches.finished(file_job)
    results_file = operation["metadata"]["output"]["responsesFile"]
    with_download_path = {
        "YOUR_BATCH_JOB_NAME": file_job,
        "{ file: resultFileName }": "{ file: resultFileName, downloadPath: 'results.jsonl' }",
        "fileContentBuffer.toString('utf-8')": "readFileSync('results.jsonl', 'utf-8')",
    }
    finished = javascript.run(CLIENT, READ_FILE, "results", fill_in=with_download_path)
    head, content = finished.stdout.split("Downloading result file content...\n")
    assert f"Results are in file: {results_file}\n" in head
    results = [json.loads(line) for line in content.splitlines() if line]
    assert [result["key"] for result in results] == ["request-1", "request-2"]
    texts_of(results)


def test_the_download_example_as_printed_downloads_nothing(
    javascript: Examples, file_job: str, batches: Batches
) -> None:
    # Without a downloadPath the SDK makes no call at all and returns undefined.
    batches.finished(file_job)
    finished = javascript.start(
        CLIENT, "results", fill_in={"YOUR_BATCH_JOB_NAME": file_job}
    ).finish()
    assert finished.code == 0
    assert f"An error occurred while processing job {file_job}: TypeError" in finished.stderr
    assert "reading 'toString'" in finished.stderr


def test_a_system_instruction_reaches_the_model(javascript: Examples, batches: Batches) -> None:
    create = given("""
const job = await ai.batches.create({model: 'gemini-2.5-flash', src: inlineRequestsList});
console.log(job);""")
    declared = given("let inlineRequestsList;")
    finished = javascript.run(CLIENT, declared, "request_configuration", create)
    operation = batches.finished(finished.find(NAME))
    results = operation["response"]["inlinedResponses"]["inlinedResponses"]
    assert len(texts_of(results)) == 2
    batches.check_neko_was_told(results[1])


def test_a_batch_that_is_being_watched_can_be_cancelled(
    javascript: Examples, batches: Batches, server: Server
) -> None:
    name = batches.create_long()
    both_clients = given(f"const client = ai;\nconst inlinedBatchJob = {{name: '{name}'}};")
    watching = javascript.start(CLIENT, both_clients, "monitor")
    server.wait_until(
        lambda: "Current state: JOB_STATE_RUNNING" in watching.printed(),
        PATIENCE_SECONDS,
        "the loop",
    )
    javascript.run(CLIENT, given(f"const batchJobToCancel = {{name: '{name}'}};"), "cancel")
    assert batches.state(name) == "JOB_STATE_CANCELLED"
    watched = watching.finish()
    assert watched.code == 0, watched.stderr
    assert watched.stdout.endswith("Job finished with state: JOB_STATE_CANCELLED\n")

    finished = javascript.run(CLIENT, "results", fill_in={"YOUR_BATCH_JOB_NAME": name})
    assert finished.stdout == "Job did not succeed. Final state: JOB_STATE_CANCELLED\n"


def test_the_monitoring_example_as_printed_knows_no_client(
    javascript: Examples, batches: Batches
) -> None:
    # It mixes the names `ai` and `client`, and notices at the second poll.
    name = batches.create_long()
    finished = javascript.start(
        CLIENT, given(f"const inlinedBatchJob = {{name: '{name}'}};"), "monitor"
    ).finish()
    assert re.search(r"Current state: JOB_STATE_\w+", finished.stdout)
    assert "ReferenceError: client is not defined" in finished.stderr
    javascript.run(CLIENT, given(f"const batchJobToCancel = {{name: '{name}'}};"), "cancel")


def test_a_deleted_batch_is_gone(javascript: Examples, batches: Batches, server: Server) -> None:
    name = javascript.run("create_inline").find(NAME)
    batches.finished(name)
    assert name in batches.names()
    javascript.run(CLIENT, given(f"const batchJobToDelete = {{name: '{name}'}};"), "delete")
    assert server.call("GET", f"/v1beta/{name}").status == 404
    assert name not in batches.names()
