"""The life of a batch, through the official SDK and through raw HTTP."""

import json
from datetime import timedelta

import httpx2 as httpx
import pytest
from google import genai
from google.genai import errors, types

from support.api.batch_calls import (
    asking,
    create_from_file,
    create_inline,
    finish,
    operation,
    upload_lines,
    wait_until_final,
)
from support.api.local_server import ECHO, SLOW, OpenServer, client_of, http_of
from support.clients import http_client
from support.fake_clock import FakeClock
from support.waiting import eventually


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
def test_cancel_is_visible_at_once_and_harmless_twice(
    open_test_server: OpenServer, method: str
) -> None:
    server = open_test_server(models=(SLOW,))
    with http_client(server.url) as http:
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


def test_a_head_of_cancel_or_delete_changes_nothing(open_test_server: OpenServer) -> None:
    server = open_test_server(models=(SLOW,))
    with http_of(server) as http:
        name = create_inline(http, [{"request": asking("x")}])["name"]
        for verb in ("cancel", "delete"):
            assert http.head(f"/v1beta/{name}:{verb}").status_code == 404
            assert operation(http, name)["done"] is False


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


def test_a_running_job_can_be_deleted(open_test_server: OpenServer) -> None:
    server = open_test_server(models=(SLOW,))
    client = client_of(server)
    job = client.batches.create(model="gemini-2.5-flash", src=[asking("x")])
    client.batches.delete(name=job.name)
    with pytest.raises(errors.ClientError, match="not found"):
        client.batches.get(name=job.name)


def test_a_job_expires_after_48_hours_and_its_row_goes_after_six_weeks(
    open_test_server: OpenServer,
) -> None:
    clock = FakeClock()
    server = open_test_server(clock=clock, models=(SLOW,))
    client = client_of(server)
    job = client.batches.create(model="gemini-2.5-flash", src=[asking("x")])
    clock.advance(timedelta(hours=47))
    server.call(server.server.pipeline.tidy())
    assert client.batches.get(name=job.name).state.name in {
        "JOB_STATE_PENDING",
        "JOB_STATE_RUNNING",
    }
    clock.advance(timedelta(hours=2))
    server.call(server.server.pipeline.tidy())
    assert client.batches.get(name=job.name).state is types.JobState.JOB_STATE_EXPIRED
    with http_client(server.url) as http:
        reason = operation(http, job.name)["error"]
    assert reason["code"] == 4
    assert reason["message"].startswith("The batch expired after 48 hours: its deadline passed")
    assert f"{job.name}:results" in reason["message"]
    clock.advance(timedelta(weeks=6, hours=1))
    server.call(server.server.pipeline.tidy())
    with pytest.raises(errors.ClientError):
        client.batches.get(name=job.name)


def test_the_hundred_and_first_unfinished_batch_is_refused(open_test_server: OpenServer) -> None:
    server = open_test_server(models=(SLOW,), concurrent_batches_max=2)
    client = client_of(server)
    first = client.batches.create(model="gemini-2.5-flash", src=[asking("x")])
    client.batches.create(model="gemini-2.5-flash", src=[asking("x")])
    with pytest.raises(errors.ClientError) as caught:
        client.batches.create(model="gemini-2.5-flash", src=[asking("x")])
    assert caught.value.code == 429
    client.batches.cancel(name=first.name)
    client.batches.create(model="gemini-2.5-flash", src=[asking("x")])


def test_the_state_is_spelled_as_the_setting_says(open_test_server: OpenServer) -> None:
    server = open_test_server(state_style="batch")
    client = client_of(server)
    job = client.batches.create(model="gemini-2.5-flash", src=[asking("x")])
    assert wait_until_final(client, job.name).state is types.JobState.JOB_STATE_SUCCEEDED
    with http_client(server.url) as http:
        del http.headers["X-Toplu-State-Style"]
        assert operation(http, job.name)["metadata"]["state"] == "BATCH_STATE_SUCCEEDED"


def test_a_request_that_crashes_the_engine_costs_only_itself(http: httpx.Client) -> None:
    texts = ["one", "two", "please crash", "three", "four", "five"]
    done = finish(http, create_inline(http, [{"request": asking(text)} for text in texts])["name"])
    results = done["response"]["inlinedResponses"]["inlinedResponses"]
    assert [("error" in result) for result in results] == [text == "please crash" for text in texts]
    assert results[2]["error"]["code"] == 13
    assert ECHO.echo.crash_pattern == "please crash"
