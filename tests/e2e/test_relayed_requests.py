"""A toplu whose model is another toplu: what that one can do, the clients of the first have."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google import genai
from google.genai import errors, types
from pydantic import BaseModel

from support.clients import sdk_client
from support.image_files import image_of
from support.jobs import (
    check_every_request_has_one_outcome,
    create_job,
    finished_job,
    greedy_question,
    question,
    results_of,
    text_of,
    upload,
)
from support.model_tables import quick_embedder, quick_model
from support.relayed_models import EMBEDDER, MODEL, relayed_embedder, relayed_model
from support.server import TOPLU, Server
from support.waiting import PATIENCE_SECONDS

pytestmark = [pytest.mark.model, pytest.mark.system]

ANSWER_TOKENS = 32
REQUESTS = 24
FRUIT = types.Schema(type=types.Type.STRING, enum=["apple", "pear"])
WEATHER = types.FunctionDeclaration(
    name="get_weather",
    description="Returns the weather of a city.",
    parameters=types.Schema(
        type=types.Type.OBJECT,
        properties={"city": types.Schema(type=types.Type.STRING, enum=["Paris", "Rome"])},
        required=["city"],
    ),
)


class Answer(BaseModel):
    fruit: str
    count: int


class Pair:
    """The server that answers, and the one that is asked."""

    def __init__(self, upstream: Server, front: Server, key: str) -> None:
        self.upstream = upstream
        self.front = front
        self.key = key
        self.client = sdk_client(front.url)
        self.direct = sdk_client(upstream.url, key)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("relayed")
    models = quick_model(ANSWER_TOKENS) + quick_embedder()
    with Server(folder / "upstream", config=models) as upstream:
        command = [str(TOPLU), "keys", "create", "--data-dir", str(upstream.data_dir)]
        key = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        upstream.start()
        key_file = folder / "key"
        key_file.write_text(key)
        config = relayed_model(upstream.url, key_file) + relayed_embedder(upstream.url, key_file)
        with Server(folder / "front", {"log_level": "debug"}, config) as front:
            made = Pair(upstream, front.start(), key)
            yield made
            assert front.stop() == 0
            assert not any(key in line for line in front.log_lines)


def settings_of(**values: Any) -> types.GenerateContentConfig:
    return types.GenerateContentConfig(temperature=0, seed=1, **values)


def test_an_answer_is_the_servers_own(pair: Pair) -> None:
    asked = {
        "model": MODEL,
        "contents": "What is the capital of France?",
        "config": settings_of(candidate_count=2, response_logprobs=True, logprobs=2),
    }
    ours = pair.client.models.generate_content(**asked)
    theirs = pair.direct.models.generate_content(**asked)
    assert ours.model_version == "smollm2-135m-instruct"
    assert ours.candidates is not None
    assert len(ours.candidates) == 2
    assert ours.text == theirs.text
    assert ours.candidates[0].logprobs_result == theirs.candidates[0].logprobs_result
    assert ours.usage_metadata.total_token_count == theirs.usage_metadata.total_token_count


def test_a_streamed_answer_comes_in_its_chunks(pair: Pair) -> None:
    config = settings_of()
    asked = {"model": MODEL, "contents": "Count from one to ten.", "config": config}
    chunks = list(pair.client.models.generate_content_stream(**asked))
    assert len(chunks) > 3
    assert len({chunk.response_id for chunk in chunks}) == 1
    assert chunks[-1].candidates[0].finish_reason is not None
    whole = pair.direct.models.generate_content(**asked)
    assert "".join(chunk.text or "" for chunk in chunks) == whole.text


def test_functions_and_structured_output_are_the_servers(pair: Pair) -> None:
    calling = types.ToolConfig(
        function_calling_config=types.FunctionCallingConfig(
            mode=types.FunctionCallingConfigMode.ANY
        )
    )
    called = pair.client.models.generate_content(
        model=MODEL,
        contents="What is the weather in Paris?",
        config=settings_of(
            tools=[types.Tool(function_declarations=[WEATHER])],
            tool_config=calling,
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        ),
    )
    assert called.function_calls is not None
    assert called.function_calls[0].name == "get_weather"
    assert called.function_calls[0].args["city"] in ("Paris", "Rome")
    chosen = pair.client.models.generate_content(
        model=MODEL,
        contents="Name a fruit.",
        config=settings_of(response_mime_type="text/x.enum", response_schema=FRUIT),
    )
    assert chosen.text in ("apple", "pear")


def test_tokens_are_counted_by_the_server(pair: Pair) -> None:
    counts = [
        client.models.count_tokens(model=MODEL, contents="How long is this?").total_tokens
        for client in (pair.client, pair.direct)
    ]
    assert counts[0] == counts[1]


def test_what_the_server_refuses_is_refused_in_its_words(pair: Pair) -> None:
    def refusal(client: genai.Client, config: types.GenerateContentConfig) -> errors.APIError:
        with pytest.raises(errors.APIError) as raised:
            client.models.generate_content(model=MODEL, contents="a", config=config)
        return raised.value

    for config in (
        types.GenerateContentConfig(temperature=7),
        types.GenerateContentConfig(tools=[types.Tool(code_execution=types.ToolCodeExecution())]),
    ):
        ours, theirs = refusal(pair.client, config), refusal(pair.direct, config)
        assert (ours.code, ours.status, ours.message) == (
            theirs.code,
            theirs.status,
            theirs.message,
        )
    assert pair.client.models.generate_content(model=MODEL, contents="a").text


def test_a_file_and_a_cache_of_ours_are_put_into_the_request(pair: Pair, tmp_path: Path) -> None:
    document = tmp_path / "rules.txt"
    document.write_text("The password of the server is swordfish. " * 30)
    file = pair.client.files.upload(file=document, config={"mime_type": "text/plain"})
    asked = pair.client.models.count_tokens(model=MODEL, contents=[file, "What is the password?"])
    assert asked.total_tokens is not None
    assert asked.total_tokens > 200
    cache = pair.client.caches.create(
        model=MODEL, config=types.CreateCachedContentConfig(contents=[file], ttl="60s")
    )
    assert cache.usage_metadata.total_token_count > 200
    pair.client.files.delete(name=file.name)
    answer = pair.client.models.generate_content(
        model=MODEL,
        contents="What is the password?",
        config=settings_of(cached_content=cache.name),
    )
    usage = answer.usage_metadata
    assert usage.cached_content_token_count >= cache.usage_metadata.total_token_count
    assert usage.prompt_token_count > usage.cached_content_token_count
    with pytest.raises(errors.ClientError, match="may not exist"):
        pair.client.models.generate_content(model=MODEL, contents=[file, "What is it?"])


def test_a_picture_is_for_the_server_to_judge(pair: Pair) -> None:
    picture = types.Part.from_bytes(data=image_of(), mime_type="image/png")
    with pytest.raises(errors.ServerError, match="does not see"):
        pair.client.models.generate_content(model=MODEL, contents=[picture, "What is it?"])


def test_vectors_are_the_servers_own(pair: Pair) -> None:
    asked = {
        "model": EMBEDDER,
        "contents": ["The sea is wide.", "A cat sleeps."],
        "config": types.EmbedContentConfig(output_dimensionality=128, task_type="CLUSTERING"),
    }
    ours, theirs = (client.models.embed_content(**asked) for client in (pair.client, pair.direct))
    for one, other in zip(ours.embeddings, theirs.embeddings, strict=True):
        assert len(one.values) == 128
        assert one.values == pytest.approx(other.values, abs=1e-6)


@pytest.mark.filterwarnings("ignore:.*create_embeddings:Warning")
def test_a_batch_of_embeddings_has_each_vector_in_its_order(pair: Pair) -> None:
    texts = [f"This is text number {index}." for index in range(REQUESTS)]
    job = pair.client.batches.create_embeddings(
        model=EMBEDDER, src={"inlined_requests": {"contents": texts}}
    )
    assert job.name is not None
    finished_job(pair.front, job.name)
    done = pair.client.batches.get(name=job.name)
    answers = done.dest.inlined_embed_content_responses
    theirs = pair.direct.models.embed_content(model=EMBEDDER, contents=texts).embeddings
    for answer, other in zip(answers, theirs, strict=True):
        assert answer.response.embedding.values == pytest.approx(other.values, abs=1e-6)


def test_a_batch_has_each_outcome_once_in_its_order(pair: Pair) -> None:
    lines = [greedy_question(index, f"Say the number {index}.") for index in range(REQUESTS)]
    lines[5]["request"]["generationConfig"] = {"temperature": 9}
    lines[7]["request"]["generationConfig"] = {
        "responseMimeType": "application/json",
        "responseJsonSchema": Answer.model_json_schema(),
        "maxOutputTokens": ANSWER_TOKENS,
    }
    lines[9]["request"]["tools"] = [{"urlContext": {}}]
    lines[11]["request"]["contents"] = lines[12]["request"]["contents"]
    for line in (lines[11], lines[12]):
        line["request"]["generationConfig"] = {"temperature": 0, "seed": 3}
    results = results_of(pair.front, create_job(pair.front, lines))
    check_every_request_has_one_outcome(results, REQUESTS)
    failed = {index: result["error"] for index, result in enumerate(results) if "error" in result}
    assert {index: error["code"] for index, error in failed.items()} == {5: 3, 9: 12}
    assert "temperature must be in the range" in failed[5]["message"]
    assert "urlContext" in failed[9]["message"]
    assert results[7]["response"]["candidates"][0]["content"]["parts"][0]["text"].startswith("{")
    assert all(text_of(result).strip() for result in results if "response" in result)
    assert text_of(results[11]) == text_of(results[12])
    ids = [result["response"]["responseId"] for result in results if "response" in result]
    assert len(set(ids)) == len(ids)


def test_a_batch_reads_files_of_its_project(pair: Pair) -> None:
    name = upload(pair.front, json.dumps({"secret": "swordfish"}).encode())
    line = question(0, "What is the secret?")
    line["request"]["contents"][0]["parts"].insert(
        0, {"fileData": {"fileUri": name, "mimeType": "application/json"}}
    )
    missing = question(1)
    missing["request"]["contents"][0]["parts"] = [{"fileData": {"fileUri": "files/none"}}]
    read, refused = results_of(pair.front, create_job(pair.front, [line, missing]))
    assert read["response"]["usageMetadata"]["promptTokenCount"] > 20
    assert refused["error"]["code"] == 7


def test_a_killed_upstream_costs_no_line_its_answer(pair: Pair) -> None:
    lines = [greedy_question(index, "Count from one to a hundred.") for index in range(REQUESTS)]
    name = create_job(pair.front, lines)
    job = name.removeprefix("batches/")
    pair.front.wait_for_event("request_finished", PATIENCE_SECONDS, job=job)
    pair.upstream.kill()
    ready = "/readyz to be 503"
    pair.front.wait_until(
        lambda: pair.front.call("GET", "/readyz").status == 503, PATIENCE_SECONDS, ready
    )
    pair.upstream.start()
    results = results_of(pair.front, name)
    check_every_request_has_one_outcome(results, REQUESTS)
    assert all(text_of(result).strip() for result in results)
