"""Batches of embeddings: created, polled and read by the SDK, and judged by its types."""

import json
import math
from typing import Any

import httpx2 as httpx
import pytest
from google import genai
from google.genai import types

from support.api.batch_calls import finish, result_lines, upload_lines, wait_until_final
from support.api.local_server import ECHO, echo_server
from support.clients import http_client
from toplu.settings.server import EchoSettings, ModelSettings

MODEL = "gemini-embedding-001"
EMBEDDER = ModelSettings(
    name="words",
    aliases=("gemini-embedding-*",),
    engine="echo_embedder",
    lazy=True,
    dimensions=32,
    echo=EchoSettings(fail_pattern="please fail", crash_pattern="please crash"),
)
TYPE = "type.googleapis.com/google.ai.generativelanguage.v1main.EmbedContentBatch"
CREATE = f"/v1beta/models/{MODEL}:asyncBatchEmbedContent"

# The SDK says so of its embedding batches.
experimental = pytest.mark.filterwarnings("ignore:.*create_embeddings:Warning")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with echo_server(tmp_path_factory.mktemp("server"), models=(ECHO, EMBEDDER)) as running:
        yield running


def asking(text: str, **fields: Any) -> dict[str, Any]:
    return {"content": {"parts": [{"text": text}]}} | fields


def create(http: httpx.Client, **input_config: Any) -> httpx.Response:
    return http.post(CREATE, json={"batch": {"inputConfig": input_config}})


def create_inline(http: httpx.Client, *requests: dict[str, Any]) -> dict[str, Any]:
    reply = create(http, requests={"requests": list(requests)})
    assert reply.status_code == 200, reply.text
    return reply.json()


def lines_of(http: httpx.Client, *lines: Any) -> list[dict[str, Any]]:
    """Return the results of a file of these lines."""
    written = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    name = upload_lines(http, written)
    reply = create(http, file_name=name)
    assert reply.status_code == 200, reply.text
    return result_lines(http, finish(http, reply.json()["name"]))


@experimental
def test_the_sdk_gets_the_vectors_of_inline_requests(client: genai.Client) -> None:
    job = client.batches.create_embeddings(
        model=MODEL,
        src={
            "inlined_requests": {
                "contents": ["one two", "three"],
                "config": {"output_dimensionality": 8, "task_type": "RETRIEVAL_DOCUMENT"},
            }
        },
        config={"display_name": "inline"},
    )
    assert job.name is not None
    done = wait_until_final(client, job.name)
    assert (done.state, done.display_name) == (types.JobState.JOB_STATE_SUCCEEDED, "inline")
    assert done.model == f"models/{MODEL}"
    assert done.dest is not None
    assert done.dest.inlined_responses is None
    answers = done.dest.inlined_embed_content_responses or []
    assert [len(answer.response.embedding.values) for answer in answers] == [8, 8]
    assert [answer.response.token_count for answer in answers] == [2, 1]
    assert math.hypot(*answers[0].response.embedding.values) == pytest.approx(1)


@experimental
def test_the_sdk_gets_the_vectors_of_a_file(client: genai.Client, http: httpx.Client) -> None:
    lines = [{"key": f"k{number}", "request": asking(f"text {number}")} for number in range(5)]
    name = upload_lines(http, [json.dumps(line).encode() for line in lines])
    job = client.batches.create_embeddings(model=MODEL, src={"file_name": name})
    assert job.name is not None
    done = wait_until_final(client, job.name)
    assert done.state is types.JobState.JOB_STATE_SUCCEEDED
    assert done.dest is not None
    assert done.dest.file_name is not None
    content = client.files.download(file=done.dest.file_name)
    results = [json.loads(line) for line in content.splitlines()]
    assert [result["key"] for result in results] == [f"k{number}" for number in range(5)]
    for result in results:
        assert result["response"].keys() == {"embedding", "tokenCount", "usageMetadata"}
        assert result["response"]["tokenCount"] == "2"
        assert result["response"]["usageMetadata"] == {"promptTokenCount": 2}


def test_a_line_gets_what_the_interactive_call_gets(http: httpx.Client) -> None:
    request = asking("a b c", title="t", outputDimensionality=4)
    (result,) = lines_of(http, {"key": "k", "request": request})
    reply = http.post(f"/v1beta/models/{MODEL}:embedContent", json=request)
    assert result["response"]["embedding"] == reply.json()["embedding"]
    assert result["response"]["usageMetadata"] == reply.json()["usageMetadata"]


def test_a_failed_request_stands_among_the_others(client: genai.Client, http: httpx.Client) -> None:
    requests = [asking("good"), asking("please fail"), asking("please crash"), asking("fine")]
    entries = [
        {"request": request, "metadata": {"number": number}}
        for number, request in enumerate(requests)
    ]
    name = create_inline(http, *entries)["name"]
    done = wait_until_final(client, name)
    assert done.dest is not None
    answers = done.dest.inlined_embed_content_responses or []
    assert [answer.error is None for answer in answers] == [True, False, False, True]
    assert [answer.error.code for answer in answers if answer.error] == [13, 13]
    assert [answer.metadata for answer in answers] == [{"number": str(n)} for n in range(4)]
    stats = finish(http, name)["metadata"]["batchStats"]
    assert stats == {
        "requestCount": "4",
        "successfulRequestCount": "2",
        "failedRequestCount": "2",
    }


def test_the_sdk_sees_errors_of_embeddings_though_every_request_failed(
    client: genai.Client, http: httpx.Client
) -> None:
    entry = {"request": asking("too large", outputDimensionality=999)}
    done = finish(http, create_inline(http, entry, entry)["name"])
    output, response = done["metadata"]["output"], done["response"]
    assert output.keys() == {"inlinedEmbedContentResponses"}
    assert response["inlinedResponses"] == output["inlinedEmbedContentResponses"]
    job = client.batches.get(name=done["name"])
    assert job.dest is not None
    assert job.dest.inlined_responses is None
    answers = job.dest.inlined_embed_content_responses or []
    assert [answer.error.code for answer in answers if answer.error] == [3, 3]


def test_the_operation_names_the_types_of_an_embeddings_batch(http: httpx.Client) -> None:
    created = create_inline(http, {"request": asking("x")})
    assert created["metadata"]["@type"] == TYPE
    done = finish(http, created["name"])
    assert done["response"]["@type"] == f"{TYPE}Output"
    listed = http.get("/v1beta/batches").json()["operations"]
    assert {"name": done["name"], "type": TYPE} in [
        {"name": each["name"], "type": each["metadata"]["@type"]} for each in listed
    ]


def test_lines_come_keyed_or_bare_in_either_spelling(http: httpx.Client) -> None:
    results = lines_of(
        http,
        {"key": "a", "request": asking("one two", output_dimensionality=4)},
        asking("one two", outputDimensionality="4"),
        {"key": "b", "request": {"content": {"parts": {"text": "one two"}}}},
    )
    assert [result.get("key") for result in results] == ["a", None, "b"]
    vectors = [result["response"]["embedding"]["values"] for result in results]
    assert vectors[0] == vectors[1]
    assert [len(vector) for vector in vectors] == [4, 4, 32]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"no json", "Error on line 2: invalid JSON"),
        ({"key": "k", "request": {"contents": [{"parts": [{"text": "x"}]}]}}, 'name "contents"'),
        ({"key": "k", "request": {}}, "content is not specified"),
        ({"key": "k"}, "request is not specified"),
        ({"key": "k", "request": asking("x", model="models/other")}, "is not the model of"),
        ({"key": "k", "request": asking("x", outputDimensionality=33)}, "range [1, 32]"),
    ],
    ids=str,
)
def test_a_bad_line_is_one_error(http: httpx.Client, line: Any, told: str) -> None:
    first, bad, last = lines_of(http, asking("a"), line, asking("b"))
    assert "response" in first
    assert "response" in last
    assert bad["error"]["code"] == 3
    assert told in bad["error"]["message"]


@pytest.mark.parametrize(
    "input_config",
    [
        {},
        {"requests": {}},  # what the JavaScript SDK sends for a list
        {"requests": {"requests": [{}]}},
        {"requests": {"requests": [{"request": {"model": "models/x"}}]}},
        {"fileName": "files/a", "requests": {"requests": []}},
    ],
    ids=str,
)
def test_a_batch_without_sense_is_refused(http: httpx.Client, input_config: dict[str, Any]) -> None:
    reply = create(http, **input_config)
    assert reply.status_code == 400
    assert "AsyncBatchEmbedContentRequest.batch.input_config" in reply.json()["error"]["message"]


def test_a_body_without_a_batch_is_refused(http: httpx.Client) -> None:
    reply = http.post(CREATE, json={})
    assert (reply.status_code, "batch is not specified" in reply.text) == (400, True)


def test_many_texts_are_all_answered_in_their_order(http: httpx.Client) -> None:
    texts = ["word " * (number % 50) + str(number) for number in range(1500)]
    results = lines_of(http, *(asking(text) for text in texts))
    tokens = [int(result["response"]["tokenCount"]) for result in results]
    assert tokens == [number % 50 + 1 for number in range(1500)]


def test_strict_checks_read_the_lines_as_embeddings(tmp_path: Any) -> None:
    with (
        echo_server(tmp_path, models=(ECHO, EMBEDDER), input_checks="strict") as running,
        http_client(running.url) as http,
    ):
        good = upload_lines(http, [json.dumps(asking("x")).encode()])
        bad = upload_lines(http, [json.dumps(asking("x")).encode(), b'{"contents": []}'])
        assert create(http, fileName=good).status_code == 200
        reply = create(http, fileName=bad)
        assert (reply.status_code, "Error on line 2" in reply.text) == (400, True)


def test_a_line_that_names_another_model_gets_its_error_beside_its_like(
    http: httpx.Client,
) -> None:
    lines = lines_of(
        http,
        asking("same"),
        asking("same", model=f"models/{MODEL}"),
        asking("same", model="models/no-such-model"),
        asking("same"),
    )
    vectors = [line["response"]["embedding"]["values"] for line in (*lines[:2], lines[3])]
    assert vectors[0] == vectors[1] == vectors[2]
    told = "Error on line 3: model models/no-such-model is not the model of the batch"
    assert lines[2]["error"]["message"].startswith(told)
