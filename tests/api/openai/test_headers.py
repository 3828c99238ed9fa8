"""Headers that OpenAI's SDK shows: the id of each answer, and what is left of a project's rates."""

import contextlib
from typing import Any

import httpx2 as httpx
import openai
import pytest

from support.api.local_server import OpenServer
from support.api.openai_calls import CHAT_MODEL, openai_client, openai_http, user
from support.fake_clock import FakeClock
from toplu.settings.server import TierSettings


def test_every_answer_has_an_id_of_its_own(sdk: Any) -> None:
    ids = {
        sdk.chat.completions.create(model=CHAT_MODEL, messages=user("hi"))._request_id
        for _ in range(3)
    }
    assert len(ids) == 3
    assert all(each.startswith("req_") for each in ids)
    with pytest.raises(openai.NotFoundError) as refused:
        sdk.models.retrieve("unheard-of")
    assert refused.value.request_id.startswith("req_")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/models"), ("GET", "/nothing/here"), ("POST", "/files"), ("GET", "/batches/x")],
)
def test_so_has_every_refusal(http: httpx.Client, method: str, path: str) -> None:
    answer = http.request(method, path)
    assert answer.headers["x-request-id"].startswith("req_")
    assert int(answer.headers["openai-processing-ms"]) >= 0


def test_a_stream_has_one_too(http: httpx.Client) -> None:
    body = {"model": CHAT_MODEL, "messages": user("hi"), "stream": True}
    assert http.post("/chat/completions", json=body).headers["x-request-id"]


def test_what_is_left_of_the_rates_is_told(open_test_server: OpenServer) -> None:
    tier = TierSettings(name="default", requests_per_minute=2, tokens_per_minute=1000)
    # The clock stands still, so that nothing is refilled meanwhile.
    server = open_test_server(tiers=(tier,), clock=FakeClock())
    body = {"model": CHAT_MODEL, "messages": user("one two three")}
    with openai_http(server) as http:
        first = http.post("/chat/completions", json=body)
        assert first.headers["x-ratelimit-limit-requests"] == "2"
        assert first.headers["x-ratelimit-remaining-requests"] == "1"
        assert first.headers["x-ratelimit-limit-tokens"] == "1000"
        assert 900 < int(first.headers["x-ratelimit-remaining-tokens"]) < 1000
        assert first.headers["x-ratelimit-reset-requests"].endswith("s")
        assert http.post("/chat/completions", json=body).status_code == 200
        refused = http.post("/chat/completions", json=body)
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 0
    assert int(refused.headers["retry-after-ms"]) > 0


def test_where_there_are_no_rates_nothing_is_told(http: httpx.Client) -> None:
    answer = http.post("/chat/completions", json={"model": CHAT_MODEL, "messages": user("hi")})
    assert not [name for name in answer.headers if name.startswith("x-ratelimit")]


def test_the_sdk_s_raw_answers_show_them(open_test_server: OpenServer) -> None:
    server = open_test_server(tiers=(TierSettings(name="default", requests_per_minute=60),))
    with contextlib.closing(openai_client(server)) as sdk:
        raw = sdk.chat.completions.with_raw_response.create(model=CHAT_MODEL, messages=user("hi"))
    assert raw.headers["x-ratelimit-limit-requests"] == "60"
    assert raw.parse().choices[0].message.content == "hi"
