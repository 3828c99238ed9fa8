"""Google's own types as the judge of what goes over the wire; they refuse unknown fields.

What an SDK converts before it validates is converted here by the same functions of the SDK.
"""

import json
from datetime import timedelta
from typing import Any

import httpx2 as httpx
import msgspec
import pytest
from google.genai import batches, models, types

from support.api.batch_calls import (
    asking,
    create_from_file,
    create_inline,
    finish,
    operation,
    result_lines,
    upload_lines,
)
from support.api.local_server import ECHO, LocalServer, OpenServer, http_of
from support.api.upload_calls import upload_raw
from support.fake_clock import FakeClock
from toplu.settings.server import EchoSettings

REQUESTS = [
    {"request": asking("one two three"), "metadata": {"key": "good", "number": 1}},
    {"request": asking("please fail"), "metadata": {"key": "fails"}},
    {"request": asking("one two") | {"generationConfig": {"candidateCount": 2}}},
]


@pytest.fixture(scope="module")
def server(shared_server: LocalServer) -> LocalServer:
    return shared_server


@pytest.fixture(scope="module")
def inline_done(shared_server: LocalServer) -> dict[str, Any]:
    with http_of(shared_server) as http:
        return finish(http, create_inline(http, REQUESTS)["name"])


@pytest.fixture(scope="module")
def file_done(shared_server: LocalServer) -> dict[str, Any]:
    lines = [{"key": "good", "request": asking("one")}, {"key": "bad", "request": {"colour": 1}}]
    with http_of(shared_server) as http:
        name = upload_lines(http, [json.dumps(line).encode() for line in lines])
        return finish(http, create_from_file(http, name).json()["name"])


def job_of(found: dict[str, Any]) -> types.BatchJob:
    """Return what the SDK makes of an Operation, with nothing forgiven."""
    return types.BatchJob.model_validate(batches._BatchJob_from_mldev(found))


def assert_timestamps(found: dict[str, Any], job: types.BatchJob) -> None:
    metadata = found["metadata"]
    for field, moment in (
        ("createTime", job.create_time),
        ("updateTime", job.update_time),
        ("endTime", job.end_time),
    ):
        assert moment is not None
        assert moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ") == metadata[field]


def test_an_inline_job_is_a_batch_job(inline_done: dict[str, Any]) -> None:
    job = job_of(inline_done)
    assert job.name == inline_done["name"]
    assert job.state is types.JobState.JOB_STATE_SUCCEEDED
    assert job.done
    assert job.model == "models/gemini-2.5-flash"
    assert_timestamps(inline_done, job)
    good, fails, twice = job.dest.inlined_responses
    assert good.response.text == "one two three"
    assert good.metadata == {"key": "good", "number": "1"}
    assert good.error is None
    assert (fails.response, fails.error.code, fails.metadata) == (None, 13, {"key": "fails"})
    assert fails.error.details is None
    assert len(twice.response.candidates) == 2


def test_the_results_stand_twice_and_alike(inline_done: dict[str, Any]) -> None:
    response = dict(inline_done["response"])
    assert response.pop("@type").endswith(".v1main.GenerateContentBatchOutput")
    assert inline_done["metadata"]["@type"].endswith(".v1main.GenerateContentBatch")
    assert inline_done["metadata"]["output"] == response
    assert inline_done["done"] is True
    assert "error" not in inline_done
    assert inline_done["metadata"]["batchStats"] == {
        "requestCount": "3",
        "successfulRequestCount": "2",
        "failedRequestCount": "1",
    }


def test_each_inline_result_is_valid_by_itself(inline_done: dict[str, Any]) -> None:
    good, fails, twice = inline_done["response"]["inlinedResponses"]["inlinedResponses"]
    for result in (good, twice):
        assert set(result) <= {"response", "metadata"}
        types.GenerateContentResponse.model_validate(result["response"])
    error = types.JobError.model_validate(fails["error"])
    assert set(fails["error"]) == {"code", "message"}
    assert error.message


def test_a_file_job_is_a_batch_job(file_done: dict[str, Any]) -> None:
    job = job_of(file_done)
    assert job.dest.file_name == file_done["response"]["responsesFile"]
    assert job.dest.inlined_responses is None
    assert_timestamps(file_done, job)
    # The id is short enough to be got, and the one that the batch's own id tells.
    assert job.dest.file_name == f"files/batch-{job.name.removeprefix('batches/')}"
    assert len(job.dest.file_name.removeprefix("files/")) <= 40


def test_each_line_of_a_results_file_is_valid_by_itself(
    http: httpx.Client, file_done: dict[str, Any]
) -> None:
    good, bad = result_lines(http, file_done)
    assert (set(good), set(bad)) == ({"key", "response"}, {"key", "error"})
    assert types.GenerateContentResponse.model_validate(good["response"]).text == "one"
    error = types.JobError.model_validate(bad["error"])
    assert (error.code, error.details) == (3, None)
    assert '"colour"' in error.message


def test_a_results_file_is_a_file_that_the_sdk_can_download(
    http: httpx.Client, file_done: dict[str, Any]
) -> None:
    found = http.get(f"/v1beta/{file_done['response']['responsesFile']}").json()
    file = types.File.model_validate(found)
    assert file.source is types.FileSource.GENERATED
    assert file.state is types.FileState.ACTIVE
    assert file.download_uri
    assert http.get(file.download_uri).content.count(b"\n") == 2


def test_an_uploaded_file_is_a_file(http: httpx.Client) -> None:
    found = upload_raw(http, b"hello")
    file = types.File.model_validate(found)
    assert (file.size_bytes, file.mime_type, file.download_uri) == (5, "text/plain", None)
    assert file.source is types.FileSource.UPLOADED
    assert file.expiration_time > file.create_time
    assert types.File.model_validate(http.get(f"/v1beta/{file.name}").json()) == file


def test_an_answer_is_an_answer(http: httpx.Client) -> None:
    reply = http.post("/v1beta/models/echo:generateContent", json=asking("one two"))
    answer = types.GenerateContentResponse.model_validate(reply.json())
    assert answer.text == "one two"
    assert answer.usage_metadata.total_token_count == 4


def test_a_model_is_a_model(http: httpx.Client) -> None:
    found = http.get("/v1beta/models/gemini-2.5-flash").json()
    converted = models._Model_from_mldev(found)
    # Meant for tuned models; the SDK puts the whole reply there, which its own type refuses.
    converted.pop("tuned_model_info")
    model = types.Model.model_validate(converted)
    assert model.name == "models/gemini-2.5-flash"
    assert model.supported_actions == found["supportedGenerationMethods"]
    dropped = {"baseModelId", "supportedGenerationMethods"}
    known = {name: value for name, value in found.items() if name not in dropped}
    # Apart from the two that the SDK drops or renames, each field is one of its type's.
    types.Model.model_validate(known)


def test_a_page_of_batches_is_batch_jobs(
    http: httpx.Client, inline_done: dict[str, Any], file_done: dict[str, Any]
) -> None:
    listed = http.get("/v1beta/batches").json()["operations"]
    jobs = {job.name: job for job in map(job_of, listed)}
    assert jobs[inline_done["name"]].dest is None
    assert jobs[file_done["name"]].dest.file_name == file_done["response"]["responsesFile"]


def test_a_job_without_results_is_a_batch_job(open_test_server: OpenServer) -> None:
    clock = FakeClock()
    slow = msgspec.structs.replace(ECHO, lanes=1, echo=EchoSettings(delay_seconds=3600))
    server = open_test_server(clock=clock, models=(slow,))
    with http_of(server) as http:
        name, expiring = (create_inline(http, REQUESTS)["name"] for _ in range(2))
        unfinished = operation(http, name)
        assert unfinished["done"] is False
        assert not unfinished.keys() & {"response", "error"}
        job = job_of(unfinished)
        assert not job.done
        assert (job.dest, job.end_time) == (None, None)
        http.post(f"/v1beta/{name}:cancel")
        clock.advance(timedelta(hours=49))
        server.call(server.server.pipeline.tidy())
        for each, state, code in ((name, "CANCELLED", 1), (expiring, "EXPIRED", 4)):
            ended = operation(http, each)
            job = job_of(ended)
            assert (job.state.name, job.done, job.dest) == (f"JOB_STATE_{state}", True, None)
            assert types.JobError.model_validate(ended["error"]).code == code
            assert "response" not in ended
            assert_timestamps(ended, job)
