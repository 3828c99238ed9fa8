"""Answers of a given form, on the echo engine: a plain one that the schema allows."""

import enum
import json
from typing import Any

import httpx2 as httpx
import pytest
from google import genai
from pydantic import BaseModel, Field

from support.api.batch_calls import (
    asking,
    create_from_file,
    create_inline,
    finish,
    result_lines,
    text_of,
    upload_lines,
    wait_until_final,
)
from support.api.form_calls import ANSWERS, JSON, REFUSALS
from support.api.local_server import LocalServer
from support.structured.hostile_schemas import COSTLY

FLASH = "gemini-2.5-flash"
GENERATE = f"/v1beta/models/{FLASH}:generateContent"

PLACES = (
    "generation_config.response_json_schema",
    "tools[0].function_declarations[0].parameters_json_schema",
)
TREE = {
    "type": "object",
    "properties": {"value": {"type": "integer"}, "next": {"$ref": "#"}},
    "required": ["value"],
}


class Kind(enum.Enum):
    ROUND = "round"
    FLAT = "flat"


class Topping(BaseModel):
    name: str = Field(min_length=3)
    grams: int | None


class Cookie(BaseModel):
    cookie_name: str
    kind: Kind
    toppings: list[Topping] = Field(min_length=1)
    note: str | None = None


@pytest.fixture(scope="module")
def server(shared_server: LocalServer) -> LocalServer:
    return shared_server


@pytest.mark.parametrize(("config", "said"), ANSWERS)
def test_an_answer_has_the_form_that_was_asked_for(
    http: httpx.Client, config: dict[str, Any], said: str
) -> None:
    reply = http.post(GENERATE, json=asking("x") | {"generationConfig": config})
    assert reply.status_code == 200, reply.text
    assert text_of(reply.json()) == said
    assert reply.json()["candidates"][0]["finishReason"] == "STOP"


@pytest.mark.parametrize("as_file", [False, True])
def test_a_line_of_a_batch_has_the_form_that_was_asked_for(
    http: httpx.Client, as_file: bool
) -> None:
    requests = [asking("x") | {"generationConfig": config} for config, _ in ANSWERS]
    if as_file:
        lines = [json.dumps({"key": "k", "request": request}).encode() for request in requests]
        reply = create_from_file(http, upload_lines(http, lines))
        results = result_lines(http, finish(http, reply.json()["name"]))
    else:
        created = create_inline(http, [{"request": request} for request in requests])
        done = finish(http, created["name"])
        results = done["response"]["inlinedResponses"]["inlinedResponses"]
    assert [text_of(result["response"]) for result in results] == [said for _, said in ANSWERS]


@pytest.mark.parametrize(("config", "place"), REFUSALS)
def test_a_form_that_cannot_be_held_to_is_refused_with_its_place(
    http: httpx.Client, config: dict[str, Any], place: str
) -> None:
    reply = http.post(GENERATE, json=asking("x") | {"generationConfig": config})
    assert reply.status_code == 400, reply.text
    error = reply.json()["error"]
    assert error["status"] == "INVALID_ARGUMENT"
    assert error["message"].startswith(f"* GenerateContentRequest.generation_config.{place}: ")
    (violation,) = error["details"][0]["fieldViolations"]
    assert violation["field"] == f"generation_config.{place}"


def test_a_line_whose_schema_cannot_be_held_to_fails_alone(http: httpx.Client) -> None:
    configs = [config for config, _ in REFUSALS] + [JSON]
    lines = [
        json.dumps({"request": asking("x") | {"generationConfig": config}}).encode()
        for config in configs
    ]
    reply = create_from_file(http, upload_lines(http, lines))
    results = result_lines(http, finish(http, reply.json()["name"]))
    assert [result["error"]["code"] for result in results[:-1]] == [3] * len(REFUSALS)
    for result, (_, place) in zip(results, REFUSALS, strict=False):
        assert f"generation_config.{place}: " in result["error"]["message"]
    assert text_of(results[-1]["response"]) == "{}"


def test_an_unknown_field_of_a_schema_is_refused_at_create(http: httpx.Client) -> None:
    request = asking("x") | {"generationConfig": JSON | {"responseSchema": {"kind": "STRING"}}}
    body = {"batch": {"inputConfig": {"requests": {"requests": [{"request": request}]}}}}
    reply = http.post(f"/v1beta/models/{FLASH}:batchGenerateContent", json=body)
    assert reply.status_code == 400
    assert 'Unknown name "kind" at' in reply.json()["error"]["message"]
    assert "response_schema'" in reply.json()["error"]["message"]


@pytest.mark.parametrize("field", ["response_schema", "response_json_schema"])
def test_the_sdk_parses_what_it_asked_for(client: genai.Client, field: str) -> None:
    schema = Cookie if field == "response_schema" else Cookie.model_json_schema()
    config = {"response_mime_type": "application/json", field: schema}
    reply = client.models.generate_content(model=FLASH, contents="x", config=config)
    value = reply.parsed if field == "response_schema" else Cookie.model_validate(reply.parsed)
    assert isinstance(value, Cookie)
    assert value.kind in Kind
    assert len(value.toppings) == 1


@pytest.mark.parametrize("mime_type", ["application/json", "text/x.enum"])
def test_the_sdk_parses_an_enum(client: genai.Client, mime_type: str) -> None:
    config = {"response_mime_type": mime_type, "response_schema": Kind}
    reply = client.models.generate_content(model=FLASH, contents="x", config=config)
    assert reply.text == ('"flat"' if mime_type == "application/json" else "flat")
    assert reply.parsed is Kind.FLAT


def test_a_batch_of_the_sdk_answers_lists_of_models(client: genai.Client) -> None:
    config = {"response_mime_type": "application/json", "response_schema": list[Cookie]}
    request = {"contents": [{"parts": [{"text": "x"}], "role": "user"}], "config": config}
    job = client.batches.create(model=FLASH, src=[request, request])
    final = wait_until_final(client, job.name)
    assert [result.response.text for result in final.dest.inlined_responses] == ["[]", "[]"]


def test_hostile_schemas_of_lines_are_errors_of_these_lines(http: httpx.Client) -> None:
    chain = COSTLY["a chain of objects"]
    formed = JSON | {"responseJsonSchema": chain}
    called = {"name": "f", "parametersJsonSchema": chain | {"type": "object"}}
    requests = [
        asking("x") | {"generationConfig": formed},
        asking("x") | {"tools": [{"functionDeclarations": [called]}]},
        asking("x") | {"generationConfig": JSON | {"responseJsonSchema": TREE}},
    ]
    created = create_inline(http, [{"request": each} for each in requests])
    responses = finish(http, created["name"])["response"]["inlinedResponses"]["inlinedResponses"]
    for place, refused in zip(PLACES, responses, strict=False):
        assert refused["error"]["code"] == 3
        assert place in refused["error"]["message"]
        assert "schema_seconds_max = 5.0" in refused["error"]["message"]
    assert json.loads(text_of(responses[2]["response"])) == {"value": 0}
    counted = http.post(f"/v1beta/models/{FLASH}:countTokens", json=asking("x"))
    assert counted.status_code == 200, "the server is alive"
