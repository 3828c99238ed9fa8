"""Results of a batch, through the official SDK and through raw HTTP."""

import json

import httpx2 as httpx
import pytest
from google import genai
from google.genai import types

from support.api.batch_calls import (
    asking,
    create_from_file,
    create_inline,
    finish,
    operation,
    result_lines,
    text_of,
    upload_lines,
    wait_until_final,
)
from support.api.local_server import OpenServer
from support.clients import http_client


def test_inline_results_keep_order_and_metadata(client: genai.Client) -> None:
    texts = [f"question {number}" for number in range(20)]
    requests = [
        types.InlinedRequest(contents=text, metadata={"key": f"k{number}"})
        for number, text in enumerate(texts)
    ]
    job = client.batches.create(
        model="gemini-2.5-flash", src=requests, config={"display_name": "twenty"}
    )
    assert job.name is not None
    done = wait_until_final(client, job.name)
    assert done.state is types.JobState.JOB_STATE_SUCCEEDED
    assert done.display_name == "twenty"
    assert done.model == "models/gemini-2.5-flash"
    responses = done.dest.inlined_responses
    assert [entry.response.text for entry in responses] == texts
    assert [entry.metadata["key"] for entry in responses] == [f"k{n}" for n in range(20)]
    assert {entry.response.model_version for entry in responses} == {"echo"}


def test_a_file_batch_answers_with_a_file_of_as_many_lines(
    client: genai.Client, http: httpx.Client, tmp_path
) -> None:
    source = tmp_path / "input.jsonl"
    source.write_text(
        "".join(
            json.dumps({"key": f"request-{n}", "request": asking(f"text {n}")}) + "\n"
            for n in range(3000)
        )
    )
    uploaded = client.files.upload(
        file=str(source), config=types.UploadFileConfig(mime_type="jsonl", display_name="in")
    )
    job = client.batches.create(model="gemini-2.5-flash", src=uploaded.name)
    done = wait_until_final(client, job.name)
    assert done.state is types.JobState.JOB_STATE_SUCCEEDED
    lines = client.files.download(file=done.dest.file_name).decode().splitlines()
    results = [json.loads(line) for line in lines]
    assert [result["key"] for result in results] == [f"request-{n}" for n in range(3000)]
    assert [text_of(result["response"]) for result in results] == [f"text {n}" for n in range(3000)]
    assert operation(http, job.name)["metadata"]["batchStats"] == {
        "requestCount": "3000",
        "successfulRequestCount": "3000",
    }
    kept = client.files.get(name=done.dest.file_name)
    assert kept.source is types.FileSource.GENERATED
    assert client.files.download(file=kept) == "".join(f"{line}\n" for line in lines).encode()
    # What people do with a downloaded line; the type refuses unknown fields.
    types.GenerateContentResponse.model_validate(results[0]["response"])


def test_a_bad_line_is_one_error_result_with_its_line_number_and_key(http: httpx.Client) -> None:
    name = upload_lines(
        http,
        [
            json.dumps({"key": "good", "request": asking("hello")}).encode(),
            b'{"key": "broken", "request": {"contents": [}',
            b"",
            json.dumps({"key": "typo", "request": asking("x") | {"tempreture": 1}}).encode(),
            json.dumps({"key": "empty", "request": {}}).encode(),
            json.dumps({"key": "fails", "request": asking("please fail")}).encode(),
            json.dumps(asking("bare")).encode(),
        ],
    )
    done = finish(http, create_from_file(http, name).json()["name"])
    assert done["metadata"]["state"] == "JOB_STATE_SUCCEEDED"
    assert done["metadata"]["batchStats"] == {
        "requestCount": "6",
        "successfulRequestCount": "2",
        "failedRequestCount": "4",
    }
    good, broken, typo, empty, fails, bare = result_lines(http, done)
    assert good["key"] == "good"
    assert "response" in good
    assert broken["error"]["message"].startswith("Error on line 2: ")
    assert typo["key"] == "typo"
    assert typo["error"]["code"] == 3
    assert typo["error"]["message"].startswith("Error on line 4: ")
    assert '"tempreture"' in typo["error"]["message"]
    assert empty["error"]["code"] == 3
    assert fails["error"]["code"] == 13
    assert "key" not in bare
    assert text_of(bare["response"]) == "bare"
    assert all(set(line["error"]) == {"code", "message"} for line in (broken, typo, empty, fails))
    types.JobError.model_validate(typo["error"])


def test_a_line_for_another_model_is_an_error_result(http: httpx.Client) -> None:
    same = {"request": asking("a") | {"model": "models/gemini-2.5-flash"}}
    other = {"request": asking("b") | {"model": "models/gemini-2.5-pro"}}
    name = upload_lines(http, [json.dumps(line).encode() for line in (same, other)])
    first, second = result_lines(http, finish(http, create_from_file(http, name).json()["name"]))
    assert "response" in first
    assert "gemini-2.5-pro" in second["error"]["message"]


def test_a_field_that_is_not_served_is_an_error_result_that_names_it(http: httpx.Client) -> None:
    created = create_inline(
        http,
        [{"request": asking("x") | {"tools": [{"codeExecution": {}}]}}, {"request": asking("y")}],
    )
    done = finish(http, created["name"])
    first, second = done["response"]["inlinedResponses"]["inlinedResponses"]
    assert first["error"]["code"] == 12
    assert "tools[0].codeExecution" in first["error"]["message"]
    assert "response" in second


@pytest.mark.parametrize("content", [b"", b"\n \n", b"just text\n", b"[1, 2]\n", b'"text"\n'])
def test_a_file_that_is_no_jsonl_is_refused_at_create(http: httpx.Client, content: bytes) -> None:
    reply = create_from_file(http, upload_lines(http, [content] if content else []))
    assert reply.status_code == 400, reply.text
    assert reply.json()["error"]["status"] == "INVALID_ARGUMENT"
    assert "operations" not in http.get("/v1beta/batches").json()


def test_a_damaged_first_line_is_one_error_as_any_other(http: httpx.Client) -> None:
    good = json.dumps({"key": "b", "request": asking("x")}).encode()
    for damaged in (b"key,text", good[:-2], json.dumps(asking("x")).encode("utf-16"), b"[1]"):
        created = create_from_file(http, upload_lines(http, [damaged, good]))
        first, second = result_lines(http, finish(http, created.json()["name"]))
        assert first["error"]["message"].startswith("Error on line 1: ")
        assert (second["key"], "response" in second) == ("b", True)


def test_a_file_without_any_readable_line_says_why_and_where(http: httpx.Client) -> None:
    name = upload_lines(http, [b"", b"key,text", b"a,b"])
    message = create_from_file(http, name).json()["error"]["message"]
    assert message.startswith("Error on line 2: invalid JSON, near column 1: unexpected character")
    assert message.endswith(f"No line of {name} is a JSON object.")
    lines = b"\n".join(json.dumps(asking("x")).encode() for _ in "ab").decode()
    utf_16 = upload_lines(http, [lines.encode("utf-16")])
    assert "not UTF-8" in create_from_file(http, utf_16).json()["error"]["message"]


def test_strict_checks_refuse_a_file_with_any_bad_line(open_test_server: OpenServer) -> None:
    server = open_test_server(input_checks="strict")
    with http_client(server.url) as http:
        good = json.dumps({"request": asking("hello")}).encode()
        bad = json.dumps({"request": {"contents": [], "colour": "red"}}).encode()
        reply = create_from_file(http, upload_lines(http, [good, bad, good]))
        assert reply.status_code == 400
        assert "line 2" in reply.json()["error"]["message"]
        assert '"colour"' in reply.json()["error"]["message"]
        assert create_from_file(http, upload_lines(http, [good, good])).status_code == 200


def test_a_batch_survives_the_deletion_of_its_input_file(
    client: genai.Client, http: httpx.Client
) -> None:
    name = upload_lines(http, [json.dumps(asking(f"text {n}")).encode() for n in range(50)])
    created = create_from_file(http, name).json()
    client.files.delete(name=name)
    assert len(result_lines(http, finish(http, created["name"]))) == 50


def test_metadata_values_come_back_as_strings(http: httpx.Client) -> None:
    metadata = {"key": "a", "number": 7, "flag": True, "list": [1]}
    created = create_inline(http, [{"request": asking("x"), "metadata": metadata}])
    done = finish(http, created["name"])
    echoed = done["response"]["inlinedResponses"]["inlinedResponses"][0]["metadata"]
    assert echoed == {"key": "a", "number": "7", "flag": "true", "list": "[1]"}
