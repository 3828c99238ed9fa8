"""Fields with a few named values: each value is served, refused by name, or no value at all."""

from typing import Any

import httpx2 as httpx
import pytest

from support.api.batch_calls import asking, create_inline, finish, text_of
from support.api.local_server import LocalServer

CREATE = "/v1beta/models/gemini-2.5-flash:batchGenerateContent"
GENERATE = "/v1beta/models/gemini-2.5-flash:generateContent"


@pytest.fixture(scope="module")
def server(shared_server: LocalServer) -> LocalServer:
    return shared_server


def configured(**config: Any) -> dict[str, Any]:
    return asking("x") | {"generationConfig": config}


SAFETY = {"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_LOW_AND_ABOVE"}


@pytest.mark.parametrize(
    "request_",
    [
        asking("x") | {"safetySettings": [SAFETY]},
        *(asking("x") | {"serviceTier": tier} for tier in ("standard", "FLEX", "priority")),
        configured(responseModalities=["Text"]),
        configured(mediaResolution="MEDIA_RESOLUTION_HIGH"),
    ],
)
def test_a_value_without_effect_is_accepted_and_nothing_is_made_up_for_it(
    http: httpx.Client, request_: dict[str, Any]
) -> None:
    answer = http.post(GENERATE, json=request_).json()
    done = finish(http, create_inline(http, [{"request": request_}])["name"])
    (line,) = done["response"]["inlinedResponses"]["inlinedResponses"]
    for response in (answer, line["response"]):
        assert text_of(response) == "x"
        assert "safetyRatings" not in response["candidates"][0]
        assert "promptFeedback" not in response


@pytest.mark.parametrize(
    ("request_", "place"),
    [
        (asking("x") | {"safetySettings": [SAFETY | {"threshold": "SOME"}]}, "safety_settings"),
        (asking("x") | {"safetySettings": [SAFETY | {"category": "RUDE"}]}, "safety_settings"),
        (asking("x") | {"serviceTier": "gold"}, "service_tier"),
        (configured(responseModalities=["SMELL"]), "response_modalities"),
        (configured(mediaResolution="MEDIA_RESOLUTION_VAST"), "media_resolution"),
    ],
)
def test_a_value_that_is_none_is_refused_with_its_place(
    http: httpx.Client, request_: dict[str, Any], place: str
) -> None:
    reply = http.post(GENERATE, json=request_)
    assert reply.status_code == 400
    assert place in reply.json()["error"]["message"]
    batch = {"batch": {"inputConfig": {"requests": {"requests": [{"request": request_}]}}}}
    assert http.post(CREATE, json=batch).status_code == 400


@pytest.mark.parametrize("modality", ["IMAGE", "AUDIO", "VIDEO"])
def test_an_answer_that_is_no_text_is_refused_by_name(http: httpx.Client, modality: str) -> None:
    request = configured(responseModalities=["TEXT", modality])
    reply = http.post(GENERATE, json=request)
    assert reply.status_code == 501
    assert "generationConfig.responseModalities" in reply.json()["error"]["message"]
