"""Batches through the official SDK and through raw HTTP, on the echo engine."""

import json
from datetime import timedelta

import httpx2 as httpx
import pytest
from batch_calls import (
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
from google import genai
from google.genai import errors, types
from house import ECHO, OpenHouse, client_of

from fake_clock import FakeClock
from toplu.settings import EchoSettings, ModelSettings
from waiting import eventually

SLOW = ModelSettings(
    name="slow",
    aliases=("gemini-*",),
    engine="echo",
    lanes=1,
    echo=EchoSettings(delay_seconds=3600),
)


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
        [{"request": asking("x") | {"tools": [{"googleSearch": {}}]}}, {"request": asking("y")}],
    )
    done = finish(http, created["name"])
    first, second = done["response"]["inlinedResponses"]["inlinedResponses"]
    assert first["error"]["code"] == 12
    assert "tools" in first["error"]["message"]
    assert "response" in second


@pytest.mark.parametrize("content", [b"", b"\n \n", b"just text\n", b"[1, 2]\n", b'"text"\n'])
def test_a_file_that_is_no_jsonl_is_refused_at_create(http: httpx.Client, content: bytes) -> None:
    reply = create_from_file(http, upload_lines(http, [content] if content else []))
    assert reply.status_code == 400, reply.text
    assert reply.json()["error"]["status"] == "INVALID_ARGUMENT"
    assert "operations" not in http.get("/v1beta/batches").json()


def test_strict_checks_refuse_a_file_with_any_bad_line(open_a_house: OpenHouse) -> None:
    house = open_a_house(input_checks="strict")
    with httpx.Client(base_url=house.url, headers={"x-goog-api-key": "any"}) as http:
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


def test_creating_twice_makes_two_jobs_and_lists_show_the_newest_first(
    client: genai.Client,
) -> None:
    names = [
        client.batches.create(model="gemini-2.5-flash", src=[asking("again")]).name
        for _ in range(5)
    ]
    assert len(set(names)) == 5
    listed = [job.name for job in client.batches.list(config={"page_size": 2})]
    assert listed == names[::-1]


def test_a_page_never_ends_with_a_token_to_nothing(
    client: genai.Client, http: httpx.Client
) -> None:
    for _ in range(4):
        client.batches.create(model="gemini-2.5-flash", src=[asking("again")])
    first = http.get("/v1beta/batches?pageSize=2").json()
    second = http.get(
        "/v1beta/batches", params={"pageSize": 2, "pageToken": first["nextPageToken"]}
    ).json()
    assert len(second["operations"]) == 2
    assert "nextPageToken" not in second
    assert http.get("/v1beta/batches?pageToken=nonsense").status_code == 400
    assert http.get("/v1beta/batches?pageSize=-1").status_code == 400


def test_lists_leave_inline_results_out(client: genai.Client, http: httpx.Client) -> None:
    job = client.batches.create(model="gemini-2.5-flash", src=[asking("x")])
    wait_until_final(client, job.name)
    (listed,) = http.get("/v1beta/batches").json()["operations"]
    assert listed["done"] is True
    assert "response" not in listed
    assert "output" not in listed["metadata"]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_cancel_is_visible_at_once_and_harmless_twice(open_a_house: OpenHouse, method: str) -> None:
    house = open_a_house(models=(SLOW,))
    with httpx.Client(base_url=house.url, headers={"x-goog-api-key": "any"}) as http:
        name = create_inline(http, [{"request": asking("x")}] * 3)["name"]
        for _ in range(2):
            reply = http.request(method, f"/v1beta/{name}:cancel")
            assert (reply.status_code, reply.json()) == (200, {})
            cancelled = operation(http, name)
            assert cancelled["metadata"]["state"] == "JOB_STATE_CANCELLED"
            assert cancelled["done"] is True
            assert cancelled["error"]["code"] == 1
            assert "response" not in cancelled
        # The only lane is free again: the next job gets it, though the first would hold it an hour.
        second = create_inline(http, [{"request": asking("x")}])["name"]
        wait_for_state(http, second, "JOB_STATE_RUNNING")


def wait_for_state(http: httpx.Client, name: str, state: str) -> None:
    eventually(lambda: operation(http, name)["metadata"]["state"] == state)


def test_cancel_after_the_end_changes_nothing(client: genai.Client) -> None:
    job = client.batches.create(model="gemini-2.5-flash", src=[asking("x")])
    wait_until_final(client, job.name)
    client.batches.cancel(name=job.name)
    assert client.batches.get(name=job.name).state is types.JobState.JOB_STATE_SUCCEEDED


@pytest.mark.parametrize(
    ("method", "suffix"), [("DELETE", ""), ("GET", ":delete"), ("POST", ":delete")]
)
def test_delete_stops_the_job_and_takes_its_files(
    http: httpx.Client, method: str, suffix: str
) -> None:
    name = upload_lines(http, [json.dumps(asking("x")).encode()])
    done = finish(http, create_from_file(http, name).json()["name"])
    batch, results = done["name"], done["response"]["responsesFile"]
    reply = http.request(method, f"/v1beta/{batch}{suffix}")
    assert (reply.status_code, reply.json()) == (200, {})
    assert http.get(f"/v1beta/{batch}").status_code == 404
    assert http.get(f"/v1beta/{results}").status_code == 403
    assert http.get("/v1beta/batches").json() == {}
    assert http.request(method, f"/v1beta/{batch}{suffix}").status_code == 404
    assert http.get(f"/v1beta/{name}").status_code == 200


def test_a_running_job_can_be_deleted(open_a_house: OpenHouse) -> None:
    house = open_a_house(models=(SLOW,))
    client = client_of(house)
    job = client.batches.create(model="gemini-2.5-flash", src=[asking("x")])
    client.batches.delete(name=job.name)
    with pytest.raises(errors.ClientError, match="not found"):
        client.batches.get(name=job.name)


def test_a_job_expires_after_48_hours_and_its_row_goes_after_six_weeks(
    open_a_house: OpenHouse,
) -> None:
    clock = FakeClock()
    house = open_a_house(clock=clock, models=(SLOW,))
    client = client_of(house)
    job = client.batches.create(model="gemini-2.5-flash", src=[asking("x")])
    clock.advance(timedelta(hours=47))
    house.call(house.house.tidy())
    assert client.batches.get(name=job.name).state.name in {
        "JOB_STATE_PENDING",
        "JOB_STATE_RUNNING",
    }
    clock.advance(timedelta(hours=2))
    house.call(house.house.tidy())
    assert client.batches.get(name=job.name).state is types.JobState.JOB_STATE_EXPIRED
    clock.advance(timedelta(weeks=6, hours=1))
    house.call(house.house.tidy())
    with pytest.raises(errors.ClientError):
        client.batches.get(name=job.name)


def test_the_hundred_and_first_unfinished_batch_is_refused(open_a_house: OpenHouse) -> None:
    house = open_a_house(models=(SLOW,), concurrent_batches_max=2)
    client = client_of(house)
    first = client.batches.create(model="gemini-2.5-flash", src=[asking("x")])
    client.batches.create(model="gemini-2.5-flash", src=[asking("x")])
    with pytest.raises(errors.ClientError) as caught:
        client.batches.create(model="gemini-2.5-flash", src=[asking("x")])
    assert caught.value.code == 429
    client.batches.cancel(name=first.name)
    client.batches.create(model="gemini-2.5-flash", src=[asking("x")])


def test_the_state_is_spelled_as_the_setting_says(open_a_house: OpenHouse) -> None:
    house = open_a_house(state_style="batch")
    client = client_of(house)
    job = client.batches.create(model="gemini-2.5-flash", src=[asking("x")])
    assert wait_until_final(client, job.name).state is types.JobState.JOB_STATE_SUCCEEDED
    with httpx.Client(base_url=house.url, headers={"x-goog-api-key": "any"}) as http:
        assert operation(http, job.name)["metadata"]["state"] == "BATCH_STATE_SUCCEEDED"


def test_a_request_that_crashes_the_engine_costs_only_itself(http: httpx.Client) -> None:
    texts = ["one", "two", "please crash", "three", "four", "five"]
    done = finish(http, create_inline(http, [{"request": asking(text)} for text in texts])["name"])
    results = done["response"]["inlinedResponses"]["inlinedResponses"]
    assert [("error" in result) for result in results] == [text == "please crash" for text in texts]
    assert results[2]["error"]["code"] == 13
    assert ECHO.echo.crash_pattern == "please crash"
