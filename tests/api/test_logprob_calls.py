"""responseLogprobs: what the wire says of each token; `tests/engines` looks at the numbers."""

from typing import Any

import httpx2 as httpx
import pytest
from google import genai
from google.genai import types

from support.api.batch_calls import asking, create_inline, finish
from support.api.local_server import LocalServer
from support.api.stream_calls import events_of

FLASH = "gemini-2.5-flash"
CALL = f"/v1beta/models/{FLASH}"
TEXT = "one two"
# The echo engine is certain of each of its words.
ONE, TWO = {"token": "one ", "logProbability": 0.0}, {"token": "two", "logProbability": 0.0}


@pytest.fixture(scope="module")
def server(shared_server: LocalServer) -> LocalServer:
    return shared_server


def wishing(**config: Any) -> dict[str, Any]:
    return asking(TEXT) | {"generationConfig": {"responseLogprobs": True} | config}


def candidates_of(http: httpx.Client, request: dict[str, Any]) -> list[dict[str, Any]]:
    reply = http.post(f"{CALL}:generateContent", json=request)
    assert reply.status_code == 200, reply.text
    return reply.json()["candidates"]


def test_the_sdk_reads_the_log_probabilities(client: genai.Client) -> None:
    config = types.GenerateContentConfig(response_logprobs=True, logprobs=2, candidate_count=2)
    answer = client.models.generate_content(model=FLASH, contents=TEXT, config=config)
    for candidate in answer.candidates:
        assert candidate.avg_logprobs == 0.0
        result = candidate.logprobs_result
        assert [token.token for token in result.chosen_candidates] == ["one ", "two"]
        tops = [[token.token for token in top.candidates] for top in result.top_candidates]
        assert tops == [["one "], ["two"]]
        assert result.log_probability_sum == 0.0


@pytest.mark.parametrize("config", [{}, {"logprobs": 0}])
def test_without_a_number_only_the_chosen_tokens_are_returned(
    http: httpx.Client, config: dict[str, Any]
) -> None:
    (candidate,) = candidates_of(http, wishing(**config))
    assert candidate["logprobsResult"] == {
        "logProbabilitySum": 0.0,
        "chosenCandidates": [ONE, TWO],
    }


@pytest.mark.parametrize("request_", [asking(TEXT), wishing(responseLogprobs=False)])
def test_unasked_there_are_none(http: httpx.Client, request_: dict[str, Any]) -> None:
    (candidate,) = candidates_of(http, request_)
    assert not {"avgLogprobs", "logprobsResult"} & set(candidate)


def test_each_chunk_of_a_stream_has_those_of_its_text(http: httpx.Client) -> None:
    reply = http.post(f"{CALL}:streamGenerateContent?alt=sse", json=wishing(logprobs=1))
    *pieces, last = (chunk["candidates"][0] for chunk in events_of(reply.text))
    told = [piece["logprobsResult"] for piece in pieces]
    assert [result["chosenCandidates"] for result in told] == [[ONE], [TWO]]
    assert [result["topCandidates"] for result in told] == [
        [{"candidates": [ONE]}],
        [{"candidates": [TWO]}],
    ]
    assert "logprobsResult" not in last
    assert last["avgLogprobs"] == 0.0


def test_a_line_of_a_batch_has_what_a_call_has(http: httpx.Client) -> None:
    request = wishing(logprobs=3, responseMimeType="application/json")
    done = finish(http, create_inline(http, [{"request": request}])["name"])
    (line,) = done["response"]["inlinedResponses"]["inlinedResponses"]
    assert line["response"]["candidates"] == candidates_of(http, request)
    (candidate,) = line["response"]["candidates"]
    assert candidate["logprobsResult"]["chosenCandidates"]
