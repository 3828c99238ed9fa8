"""Interactive embeddings, through the SDK and raw HTTP."""

import json
import math
from typing import Any

import httpx2 as httpx
import pytest
from google import genai
from google.genai import errors, types

from support.api.local_server import ECHO, LocalServer, OpenServer, client_of, http_of
from support.waiting import eventually
from toplu.settings.server import EchoSettings, ModelSettings
from toplu.wire.gemini.embedding import TaskType

EMBEDDER = ModelSettings(
    name="words",
    aliases=("gemini-embedding-001", "gemini-embedding-*", "text-embedding-*"),
    engine="echo_embedder",
    lazy=True,
    dimensions=64,
    context_tokens=8,
    echo=EchoSettings(fail_pattern="please fail", crash_pattern="please crash"),
)
MODEL = "gemini-embedding-001"
LONG = "one two three four five six seven eight nine"


@pytest.fixture
def server(open_test_server: OpenServer) -> LocalServer:
    return open_test_server(models=(ECHO, EMBEDDER))


def embed(http: httpx.Client, text: str = "some words", **fields: Any) -> httpx.Response:
    body = {"content": {"parts": [{"text": text}]}} | fields
    # In ASCII, which half a surrogate pair needs.
    return http.post(f"/v1beta/models/{MODEL}:embedContent", content=json.dumps(body))


def values_of(reply: httpx.Response) -> list[float]:
    assert reply.status_code == 200, reply.text
    return reply.json()["embedding"]["values"]


def embed_all(http: httpx.Client, requests: Any) -> httpx.Response:
    path = f"/v1beta/models/{MODEL}:batchEmbedContents"
    return http.post(path, json={"requests": requests})


def test_the_sdk_gets_a_vector_for_each_text(client: genai.Client) -> None:
    response = client.models.embed_content(model=MODEL, contents=["one two", "one two", "three"])
    first, second, third = (embedding.values for embedding in response.embeddings or [])
    assert first == second != third
    assert len(first or []) == 64


def test_the_sdk_gets_vectors_as_small_as_it_wants(client: genai.Client) -> None:
    config = types.EmbedContentConfig(
        output_dimensionality=16, task_type="RETRIEVAL_DOCUMENT", title="A title"
    )
    response = client.models.embed_content(model=MODEL, contents="a b c d", config=config)
    (embedding,) = response.embeddings or []
    assert len(embedding.values or []) == 16
    assert math.hypot(*(embedding.values or [])) == pytest.approx(1)


def test_one_text_is_answered_with_its_vector_and_its_tokens(http: httpx.Client) -> None:
    reply = embed(http)
    assert reply.json().keys() == {"embedding", "usageMetadata"}
    assert reply.json()["usageMetadata"] == {"promptTokenCount": 2}
    assert math.hypot(*values_of(reply)) == pytest.approx(1)


def test_several_parts_are_one_text(http: httpx.Client) -> None:
    parts = {"parts": [{"text": "one"}, {"text": "two"}]}
    assert values_of(embed(http, content=parts)) == values_of(embed(http, "one\ntwo"))


def test_a_title_stands_above_the_text(http: httpx.Client) -> None:
    titled = embed(http, "text", title="title", taskType="RETRIEVAL_DOCUMENT")
    assert values_of(titled) == values_of(embed(http, "title\ntext"))


@pytest.mark.parametrize("task_type", [*TaskType, 3])
def test_the_task_type_changes_nothing(http: httpx.Client, task_type: Any) -> None:
    assert values_of(embed(http, taskType=task_type)) == values_of(embed(http))


def test_the_settings_may_stand_in_a_config(http: httpx.Client) -> None:
    config = {"outputDimensionality": 4, "title": "title", "taskType": "CLUSTERING"}
    inside = embed(http, embedContentConfig=config, outputDimensionality=9)
    outside = embed(http, title="title", output_dimensionality="4")
    assert values_of(inside) == values_of(outside)
    assert len(values_of(inside)) == 4


def test_a_text_that_is_too_long_is_cut_unless_it_may_not_be(http: httpx.Client) -> None:
    cut = embed(http, LONG)
    assert cut.json()["usageMetadata"] == {"promptTokenCount": 8}
    refused = embed(http, LONG, embedContentConfig={"autoTruncate": False})
    assert refused.status_code == 400
    assert "exceeds the maximum number of tokens allowed (8)" in refused.json()["error"]["message"]
    assert embed(http, embedContentConfig={"autoTruncate": False}).status_code == 200


@pytest.mark.parametrize(
    ("fields", "status", "told"),
    [
        ({"outputDimensionality": 65}, 400, "must be in the range [1, 64]"),
        ({"outputDimensionality": -1}, 400, "must be in the range [1, 64]"),
        ({"taskType": "DANCE"}, 400, "task_type"),
        ({"content": None}, 400, "content is not specified"),
        ({"content": {}}, 400, "content.parts must not be empty"),
        ({"content": {"parts": [{}]}}, 400, "oneof field 'data'"),
        ({"content": {"parts": [{"text": "\ud800"}]}}, 400, "surrogate"),
        ({"title": "\ud800"}, 400, "surrogate"),
        ({"colour": "red"}, 400, 'Unknown name "colour"'),
        ({"model": "models/other"}, 400, "is not the model of the URL"),
        (
            {"content": {"parts": [{"inlineData": {"mimeType": "image/png", "data": "AA=="}}]}},
            501,
            "content.parts[0].inlineData is not served",
        ),
        ({"embedContentConfig": {"documentOcr": True}}, 501, "documentOcr is not served"),
    ],
    ids=str,
)
def test_a_request_that_cannot_be_answered_says_why(
    http: httpx.Client, fields: dict[str, Any], status: int, told: str
) -> None:
    reply = embed(http, **fields)
    assert (reply.status_code, told in reply.json()["error"]["message"]) == (status, True), (
        reply.text
    )


def test_one_call_may_ask_for_a_hundred_vectors(http: httpx.Client) -> None:
    requests = [
        {"model": f"models/{MODEL}", "content": {"parts": [{"text": f"text {number}"}]}}
        for number in range(101)
    ]
    reply = embed_all(http, requests[:100])
    assert len(reply.json()["embeddings"]) == 100
    assert reply.json()["usageMetadata"] == {"promptTokenCount": 200}
    single = values_of(embed(http, "text 99"))
    assert reply.json()["embeddings"][99]["values"] == pytest.approx(single)
    assert "at most 100 requests" in embed_all(http, requests).json()["error"]["message"]


@pytest.mark.parametrize(
    "requests", [None, [], [{}], [{"content": {"parts": [{"text": "a"}]}}, {}]]
)
def test_one_bad_request_refuses_the_call(http: httpx.Client, requests: Any) -> None:
    assert embed_all(http, requests).status_code == 400


def test_a_text_that_fails_fails_its_call_alone(http: httpx.Client) -> None:
    assert embed(http, "please fail").status_code == 500
    assert embed(http, "please crash").json()["error"]["message"] == (
        "The engine crashed 3 times on this request."
    )
    assert embed(http).status_code == 200


@pytest.mark.parametrize("method", ["generateContent", "countTokens", "batchGenerateContent"])
def test_an_embedding_model_makes_no_text(http: httpx.Client, method: str) -> None:
    reply = http.post(f"/v1beta/models/{MODEL}:{method}", json={})
    assert reply.status_code == 404
    assert f"is not supported for {method}" in reply.json()["error"]["message"]


@pytest.mark.parametrize("method", ["embedContent", "batchEmbedContents", "asyncBatchEmbedContent"])
def test_a_text_model_makes_no_vectors(http: httpx.Client, method: str) -> None:
    assert http.post(f"/v1beta/models/gemini-2.5-flash:{method}", json={}).status_code == 404


def test_the_list_of_models_tells_what_each_is_for(client: genai.Client) -> None:
    actions = {model.name: model.supported_actions for model in client.models.list()}
    assert actions["models/gemini-embedding-001"] == [
        "embedContent",
        "batchEmbedContents",
        "asyncBatchEmbedContent",
    ]
    assert "embedContent" not in (actions["models/gemini-2.5-flash"] or [])
    assert client.models.get(model=MODEL).input_token_limit == 8


def test_a_lazy_engine_starts_when_it_is_first_asked(server: LocalServer) -> None:
    with http_of(server) as http:
        ready = eventually(lambda: _ready(http))
        assert ready["engines"] == {"echo": "READY", "words": "IDLE"}
        assert embed(http).status_code == 200
        assert eventually(lambda: _ready(http, words="READY")) == {
            "status": "ready",
            "workers": 1,
            "engines": {"echo": "READY", "words": "READY"},
        }


def _ready(http: httpx.Client, **engines: str) -> dict[str, Any] | None:
    """Return what /readyz says once it says that it is ready and has the engines in these states.

    It reads of them in rows, which are written a moment after they change.
    """
    reply = http.get("/readyz")
    said: dict[str, Any] = reply.json()
    is_so = engines.items() <= said["engines"].items()
    return said if reply.status_code == 200 and is_so else None


def test_an_embedder_that_cannot_start_takes_nothing_down(
    open_test_server: OpenServer,
) -> None:
    missing = ModelSettings(
        name="missing",
        aliases=("gemini-embedding-*",),
        engine="onnx_embedder",
        lazy=True,
        source="path:/no/such.safetensors",
    )
    server = open_test_server(models=(ECHO, missing), engine_start_attempts_max=1)
    with http_of(server) as http:
        reply = embed(http)
        assert reply.status_code == 503
        assert "there is no file /no/such.safetensors" in reply.json()["error"]["message"]
        assert eventually(lambda: _ready(http, missing="GIVEN_UP"))
    client = client_of(server)
    assert client.models.generate_content(model="gemini-2.5-flash", contents="hi").text == "hi"
    with pytest.raises(errors.ServerError):
        client.models.embed_content(model=MODEL, contents="x")
    client.close()
