"""Text completions, embeddings, models and keys through OpenAI's SDK."""

import array
import base64
import contextlib
from typing import Any

import httpx2 as httpx
import openai
import pytest
from google import genai
from openai.types import Completion, CreateEmbeddingResponse, Model

from support.api.local_server import LocalServer, OpenServer, client_of
from support.api.openai_calls import (
    CHAT_MODEL,
    EMBEDDING_MODEL,
    openai_client,
    openai_http,
    strictly,
    user,
)
from toplu.job import ProjectId


def test_a_text_is_completed(http: httpx.Client) -> None:
    body = {"model": CHAT_MODEL, "prompt": "one two three", "max_tokens": 2, "logprobs": 1}
    answer = strictly(Completion, http.post("/completions", json=body).json())
    (choice,) = answer.choices
    assert (choice.text, choice.finish_reason) == ("one two", "length")
    assert choice.logprobs is not None
    assert choice.logprobs.text_offset == [0, 4]


def test_a_completion_is_streamed(sdk: Any) -> None:
    stream = sdk.completions.create(model=CHAT_MODEL, prompt=["one two three"], stream=True)
    chunks = list(stream)
    assert "".join(chunk.choices[0].text for chunk in chunks) == "one two three"
    assert chunks[-1].choices[0].finish_reason == "stop"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": ["a", "b"]}, "prompt"),
        ({"prompt": [1, 2]}, "prompt"),
        ({"suffix": "x"}, "suffix"),
        ({"echo": True}, "echo"),
        ({"best_of": 3}, "best_of"),
    ],
)
def test_forms_of_completions_that_are_not_served_are_named(
    http: httpx.Client, fields: dict[str, Any], param: str
) -> None:
    reply = http.post("/completions", json={"model": CHAT_MODEL, "prompt": "x"} | fields)
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, param)


def test_vectors_come_in_the_order_of_their_texts(http: httpx.Client) -> None:
    texts = ["one", "two three", "one"]
    body = {"model": EMBEDDING_MODEL, "input": texts}
    answer = strictly(CreateEmbeddingResponse, http.post("/embeddings", json=body).json())
    first, second, third = [each.embedding for each in answer.data]
    assert len(first) == 8
    assert first == third != second
    assert answer.usage.prompt_tokens == answer.usage.total_tokens > 0


def test_the_sdk_reads_vectors_from_base64_as_well(sdk: Any, http: httpx.Client) -> None:
    numbers = http.post("/embeddings", json={"model": EMBEDDING_MODEL, "input": "one"}).json()
    packed = http.post(
        "/embeddings",
        json={"model": EMBEDDING_MODEL, "input": "one", "encoding_format": "base64"},
    ).json()
    floats = array.array("f", base64.b64decode(packed["data"][0]["embedding"]))
    assert list(floats) == pytest.approx(numbers["data"][0]["embedding"])
    # What it asks for by itself.
    through_sdk = sdk.embeddings.create(model=EMBEDDING_MODEL, input="one", dimensions=4)
    assert len(through_sdk.data[0].embedding) == 4


@pytest.mark.parametrize("given", [[], [1, 2], [[1, 2]], ["x"] * 2049])
def test_what_is_no_text_gets_no_vector(http: httpx.Client, given: list[Any]) -> None:
    reply = http.post("/embeddings", json={"model": EMBEDDING_MODEL, "input": given})
    assert reply.status_code == 400
    assert reply.json()["error"]["param"].startswith("input")


def test_models_are_listed_and_found(sdk: Any, http: httpx.Client) -> None:
    assert {CHAT_MODEL, "echo", "echo-embedder"} <= {model.id for model in sdk.models.list()}
    strictly(Model, http.get(f"/models/{CHAT_MODEL}").json())
    with pytest.raises(openai.NotFoundError):
        sdk.models.retrieve("nobody")


def test_both_sdks_share_the_path_v1_and_each_gets_its_own_answer(server: LocalServer) -> None:
    with contextlib.closing(openai_client(server, path="/v1")) as other:
        assert CHAT_MODEL in {model.id for model in other.models.list()}
        answer = other.chat.completions.create(model=CHAT_MODEL, messages=user("x"))
        assert answer.choices[0].message.content == "x"
    google = genai.Client(api_key="any", http_options={"base_url": server.url, "api_version": "v1"})
    assert f"models/{CHAT_MODEL}" in {model.name for model in google.models.list()}


def test_a_bearer_key_opens_the_gemini_api_too(server: LocalServer) -> None:
    with openai_http(server) as http:
        reply = http.get(f"{server.url}/v1beta/models")
        assert "models" in reply.json()


def test_a_path_that_nobody_serves_is_refused_in_openais_form(http: httpx.Client) -> None:
    reply = http.get("/fine_tuning/jobs")
    assert (reply.status_code, reply.json()["error"]["type"]) == (404, "invalid_request_error")


def test_a_body_that_is_no_json_is_refused(http: httpx.Client) -> None:
    reply = http.post("/chat/completions", content=b"{")
    assert reply.status_code == 400
    assert "could not parse" in reply.json()["error"]["message"]


def test_keys_decide_whose_call_it_is(open_test_server: OpenServer) -> None:
    server = open_test_server()
    key = server.call(server.server.keys.create(ProjectId("p"), "mine"))
    with (
        contextlib.closing(openai_client(server, key="wrong")) as wrong,
        pytest.raises(openai.AuthenticationError, match="Incorrect API key"),
    ):
        wrong.models.list()
    with openai_http(server) as http:
        del http.headers["authorization"]
        reply = http.get("/models")
        assert (reply.status_code, reply.json()["error"]["code"]) == (401, "invalid_api_key")
    with contextlib.closing(openai_client(server, key=key)) as right:
        assert right.models.list().data
    with contextlib.closing(client_of(server, key=key)) as google:
        assert google.models.list().page
