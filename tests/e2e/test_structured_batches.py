"""Two hundred answers of the real model, in twenty forms: whatever is finished validates."""

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from google.genai import types
from pydantic import BaseModel, Field

from support.clients import sdk_client
from support.jobs import finished_job
from support.model_tables import quick_model
from support.server import Server, started_server
from support.structured.structured_cases import CASES, Case
from support.waiting import PATIENCE_SECONDS

pytestmark = [pytest.mark.model, pytest.mark.slow, pytest.mark.system]

ROUNDS = 10  # of every case, by `make test-system`
ANSWER_TOKENS = 64
FLASH = "gemini-2.5-flash"
MODEL = f"/v1beta/models/{FLASH}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("structured")
    with started_server(folder, config=quick_model(ANSWER_TOKENS)) as server:
        yield server


def request_of(case: Case, seed: int) -> dict[str, Any]:
    sampling = {"temperature": 0.9, "seed": seed, "maxOutputTokens": ANSWER_TOKENS}
    return {
        "contents": [{"role": "user", "parts": [{"text": f"{case.question} ({seed})"}]}],
        "generationConfig": case.config | sampling,
    }


def check(case: Case, response: dict[str, Any]) -> bool:
    """Return whether the answer is finished; if it is, it must validate."""
    (candidate,) = response["candidates"]
    text = candidate["content"]["parts"][0]["text"]
    if candidate["finishReason"] == "MAX_TOKENS":
        assert response["usageMetadata"]["candidatesTokenCount"] == ANSWER_TOKENS
        return False
    assert candidate["finishReason"] == "STOP"
    value = json.loads(text)
    jsonschema.validate(value, case.json_schema, cls=jsonschema.Draft202012Validator)
    if isinstance(value, dict) and "properties" in case.json_schema:
        order = list(case.json_schema["properties"])
        assert list(value) == sorted(value, key=order.index), text
    return True


@pytest.mark.parametrize("rounds", [1, pytest.param(ROUNDS, marks=pytest.mark.system)])
def test_all_finished_answers_of_a_batch_validate_in_their_order(
    server: Server, rounds: int
) -> None:
    asked = [(case, seed) for seed in range(rounds) for case in CASES]
    assert len(asked) == 20 * rounds
    requests = [{"request": request_of(case, seed)} for case, seed in asked]
    batch = {"batch": {"inputConfig": {"requests": {"requests": requests}}}}
    created = server.call("POST", f"{MODEL}:batchGenerateContent", batch)
    assert created.status == 200, created.body
    path = f"/v1beta/{created.json()['name']}"
    server.wait_until(
        lambda: server.call("GET", path).json()["done"], PATIENCE_SECONDS, "the batch to end"
    )
    results = server.call("GET", path).json()["response"]["inlinedResponses"]["inlinedResponses"]
    finished: dict[str, int] = dict.fromkeys((case.name for case in CASES), 0)
    for (case, _), result in zip(asked, results, strict=True):
        assert "error" not in result, result
        finished[case.name] += check(case, result["response"])
    print(finished)
    assert sum(finished.values()) >= 0.8 * len(asked)
    assert rounds < ROUNDS or all(finished.values()), finished


@pytest.mark.parametrize("case", CASES[::4], ids=lambda case: case.name)
def test_an_interactive_answer_validates(server: Server, case: Case) -> None:
    for seed in range(2):
        reply = server.call("POST", f"{MODEL}:generateContent", request_of(case, seed))
        assert reply.status == 200, reply.body
        check(case, reply.json())


def test_an_enum_is_answered_with_one_bare_value(server: Server) -> None:
    values = ["percussion", "string", "woodwind instrument", "größe 🎺"]
    config = {"responseMimeType": "text/x.enum", "temperature": 1.5}
    config["responseSchema"] = {"type": "STRING", "enum": values}
    question = {"contents": [{"parts": [{"text": "What kind of instrument is an oboe?"}]}]}
    for seed in range(5):
        request = question | {"generationConfig": config | {"seed": seed}}
        reply = server.call("POST", f"{MODEL}:generateContent", request).json()
        (candidate,) = reply["candidates"]
        assert candidate["content"]["parts"][0]["text"] in values
        assert candidate["finishReason"] == "STOP"


def test_an_answer_that_is_short_of_tokens_is_whole_and_says_that_it_was_ended(
    server: Server,
) -> None:
    config = types.GenerateContentConfig(
        response_mime_type="application/json",
        response_schema={"type": "STRING", "minLength": 60},
        max_output_tokens=40,
        temperature=0,
    )
    question = "Tell a long story about the sea, in many sentences."
    with sdk_client(server.url) as client:
        answer = client.models.generate_content(model=FLASH, contents=question, config=config)
        job = client.batches.create(
            model=FLASH,
            src=[types.InlinedRequest(contents=question, config=config, metadata={"key": "a"})],
        )
        output = finished_job(server, job.name or "")["metadata"]["output"]
        dest = client.batches.get(name=job.name or "").dest
    assert dest is not None
    (result,) = dest.inlined_responses or []
    assert result.metadata == {"key": "a", "shortened": "true"}
    # The SDK passes over it.
    (raw,) = output["inlinedResponses"]["inlinedResponses"]
    assert raw["response"]["candidates"][0]["finishMessage"] == (
        "The answer was ended to keep within maxOutputTokens."
    )
    for response in (answer, result.response):
        assert response is not None
        (candidate,) = response.candidates or []
        assert candidate.finish_reason is types.FinishReason.STOP
        assert len(json.loads(response.text or "")) >= 60
        usage = response.usage_metadata
        assert usage is not None
        assert 0 < (usage.candidates_token_count or 0) <= 40


def test_what_cannot_be_whole_within_its_tokens_is_refused(server: Server) -> None:
    config = {"responseMimeType": "application/json", "maxOutputTokens": 5}
    config["responseSchema"] = {"type": "STRING", "minLength": 200}
    request = {"contents": [{"parts": [{"text": "Hi"}]}], "generationConfig": config}
    reply = server.call("POST", f"{MODEL}:generateContent", request)
    assert reply.status == 400
    assert "the smallest answer" in reply.json()["error"]["message"]


def test_any_json_is_an_object_or_an_array(server: Server) -> None:
    config = {"responseMimeType": "application/json", "seed": 4}
    text = "Answer in JSON: what is the capital of France?"
    request = {"contents": [{"parts": [{"text": text}]}], "generationConfig": config}
    (candidate,) = server.call("POST", f"{MODEL}:generateContent", request).json()["candidates"]
    said = candidate["content"]["parts"][0]["text"]
    assert said[0] in "[{"
    if candidate["finishReason"] == "STOP":
        assert isinstance(json.loads(said), dict | list)


class Country(BaseModel):
    capital: str = Field(max_length=20)
    inhabitants: int = Field(ge=1000, le=2_000_000_000)


def test_the_sdk_parses_an_answer_of_the_model(server: Server) -> None:
    client = sdk_client(server.url)
    reply = client.models.generate_content(
        model="gemini-2.5-flash",
        contents="Tell me about France.",
        config={
            "response_mime_type": "application/json",
            "response_schema": Country,
            "temperature": 0,
        },
    )
    client.close()
    assert isinstance(reply.parsed, Country)
