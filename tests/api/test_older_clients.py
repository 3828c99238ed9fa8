"""Clients that differ from the current SDKs: older versions, and those of the hosted spelling."""

from typing import Any

import httpx2 as httpx
import pytest

from support.api.batch_calls import asking, create_inline, finish, operation, text_of
from support.api.local_server import LocalServer, OpenServer, http_of

CREATE = "/v1beta/models/gemini-2.5-flash:batchGenerateContent"
SYSTEM = {"parts": [{"text": "be nice"}], "role": "user"}
SAFETY = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]


@pytest.fixture(scope="module")
def server(shared_server: LocalServer) -> LocalServer:
    return shared_server


def batch_of(*requests: dict[str, Any]) -> dict[str, Any]:
    return {"batch": {"inputConfig": {"requests": {"requests": list(requests)}}}}


@pytest.mark.parametrize(
    "entry",
    [
        # Python 1.24
        {"request": asking("one two"), "systemInstruction": SYSTEM, "safetySettings": SAFETY},
        # JavaScript 1.16
        {
            "request": asking("one two") | {"generationConfig": {"systemInstruction": SYSTEM}},
            "safetySettings": SAFETY,
        },
    ],
)
def test_the_batches_of_older_sdks_are_answered_as_they_were_meant(
    http: httpx.Client, entry: dict[str, Any]
) -> None:
    done = finish(http, create_inline(http, [entry])["name"])
    (line,) = done["response"]["inlinedResponses"]["inlinedResponses"]
    assert text_of(line["response"]) == "one two"
    # Two words of the user and two of the system.
    assert line["response"]["usageMetadata"]["promptTokenCount"] == 4


def test_tools_beside_the_request_are_the_tools_of_the_request(http: httpx.Client) -> None:
    config = {"functionCallingConfig": {"mode": "ANY"}}
    entry = {"request": asking("x"), "cachedContent": "cachedContents/a", "toolConfig": config}
    placed = {"request": asking("x") | {"cachedContent": "cachedContents/a", "toolConfig": config}}
    done = finish(http, create_inline(http, [entry, placed])["name"])
    lifted, meant = done["response"]["inlinedResponses"]["inlinedResponses"]
    assert lifted == meant


def test_a_field_given_in_two_places_is_refused_by_name(http: httpx.Client) -> None:
    entry = {"request": asking("x") | {"system_instruction": SYSTEM}, "systemInstruction": SYSTEM}
    reply = http.post(CREATE, json=batch_of(entry))
    assert reply.status_code == 400
    assert "requests[0].system_instruction: " in reply.json()["error"]["message"]


def test_only_a_batch_has_older_clients(http: httpx.Client) -> None:
    request = asking("x") | {"generationConfig": {"systemInstruction": SYSTEM}}
    reply = http.post("/v1beta/models/gemini-2.5-flash:generateContent", json=request)
    assert reply.status_code == 400
    assert "Cannot find field" in reply.json()["error"]["message"]


def states_of(http: httpx.Client, name: str, style: str | None) -> set[str]:
    """Return the state of a batch as get and list have it."""
    headers = {} if style is None else {"X-Toplu-State-Style": style}
    found = http.get(f"/v1beta/{name}", headers=headers).json()
    listed = http.get("/v1beta/batches", headers=headers).json()["operations"]
    return {each["metadata"]["state"] for each in [found, *listed] if each["name"] == name}


GOOGLE = "google-genai-sdk/1.24.0 gl-python/3.11"


@pytest.mark.parametrize(
    ("headers", "style"),
    [
        ({"x-goog-api-client": GOOGLE}, "JOB"),
        ({"x-goog-api-client": "google-genai-sdk/3.3.0 gl-node/web"}, "JOB"),
        ({"x-goog-api-client": "an-app/1 google-genai-sdk/1.69.0 gl-go/go1.25"}, "JOB"),
        ({"User-Agent": "curl/8.14.1"}, "JOB"),
        ({"User-Agent": "python-httpx/0.28.1"}, "BATCH"),
        ({"User-Agent": "Mozilla/5.0 (like curl/8)"}, "BATCH"),
        ({"x-goog-api-client": "gl-java/17 gapic/2"}, "BATCH"),
        ({"x-goog-api-client": GOOGLE, "X-Toplu-State-Style": "batch"}, "BATCH"),
        ({"User-Agent": "curl/8.14.1", "X-Toplu-State-Style": "batch"}, "BATCH"),
    ],
)
def test_a_state_is_spelled_as_its_reader_waits_for_it(
    http: httpx.Client, headers: dict[str, str], style: str
) -> None:
    del http.headers["X-Toplu-State-Style"]
    created = http.post(CREATE, json=batch_of({"request": asking("x")}), headers=headers).json()
    assert created["metadata"]["state"] == f"{style}_STATE_PENDING"
    found = http.get(f"/v1beta/{created['name']}", headers=headers).json()
    assert found["metadata"]["state"].startswith(f"{style}_STATE_")
    listed = http.get("/v1beta/batches", headers=headers).json()["operations"]
    assert {each["metadata"]["state"].partition("_")[0] for each in listed} == {style}


@pytest.mark.parametrize("default", ["job", "batch"])
def test_a_call_may_choose_how_states_are_spelled(
    open_test_server: OpenServer, default: str
) -> None:
    with http_of(open_test_server(state_style=default)) as http:
        del http.headers["X-Toplu-State-Style"]
        entry = {"request": asking("x")}
        for style in ("job", "batch"):
            headers = {"x-toplu-state-style": style.upper()}
            created = http.post(CREATE, json=batch_of(entry), headers=headers).json()
            assert created["metadata"]["state"] == f"{style.upper()}_STATE_PENDING"
            name = finish(http, created["name"])["name"]
            assert states_of(http, name, "job") == {"JOB_STATE_SUCCEEDED"}
            assert states_of(http, name, "batch") == {"BATCH_STATE_SUCCEEDED"}
            assert states_of(http, name, None) == {f"{default.upper()}_STATE_SUCCEEDED"}


def test_a_style_that_is_none_is_refused_and_makes_no_batch(http: httpx.Client) -> None:
    headers = {"X-Toplu-State-Style": "hosted"}
    name = create_inline(http, [{"request": asking("x")}])["name"]
    before = len(http.get("/v1beta/batches").json()["operations"])
    for reply in (
        http.post(CREATE, json=batch_of({"request": asking("x")}), headers=headers),
        http.get("/v1beta/batches", headers=headers),
        http.get(f"/v1beta/{name}", headers=headers),
    ):
        assert reply.status_code == 400
        assert "must be one of: job, batch" in reply.json()["error"]["message"]
    assert len(http.get("/v1beta/batches").json()["operations"]) == before
    assert operation(http, name)["name"] == name
