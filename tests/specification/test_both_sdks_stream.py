"""Streamed answers of the real model, through both official SDKs.

The specification has no example of a stream; it promises that a batch takes what the interactive
API takes, so that one seed must give one answer in all three.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.genai import types

from support.clients import sdk_client
from support.model_tables import echo_model, model_table
from support.server import Server, started_server
from support.specification.examples import API_KEY, Examples, given
from support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.model

FLASH = "gemini-2.5-flash"
ANSWER_TOKENS = 32
QUESTION = "Tell me a short story about a lighthouse."
CONFIG = {"temperature": 0.8, "seed": 11, "maxOutputTokens": ANSWER_TOKENS}
REQUEST = {
    "contents": [{"parts": [{"text": QUESTION}], "role": "user"}],
    "generationConfig": CONFIG,
}
JAVASCRIPT = """
import {GoogleGenAI} from '@google/genai';
const ai = new GoogleGenAI({apiKey: process.env.GEMINI_API_KEY});
const stream = await ai.models.generateContentStream({
  model: 'gemini-2.5-flash', contents: QUESTION, config: CONFIG});
for await (const chunk of stream) console.log(JSON.stringify(chunk));
"""
FAILING = """
import {GoogleGenAI} from '@google/genai';
const ai = new GoogleGenAI({apiKey: process.env.GEMINI_API_KEY});
try {
  await ai.models.generateContentStream({model: 'llama-9', contents: 'x'});
} catch (error) { console.log(error.name, error.status); }
"""

BREAKING = """
import {GoogleGenAI} from '@google/genai';
const ai = new GoogleGenAI({apiKey: process.env.GEMINI_API_KEY});
try {
  const stream = await ai.models.generateContentStream({
    model: 'gemini-2.5-flash', contents: 'one two'});
  for await (const chunk of stream) console.log('heard', chunk.text);
} catch (error) { console.log(error.name, error.status); }
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    # With one lane every answer finds the prefix that the one before it left.
    config = model_table(output_tokens_max=ANSWER_TOKENS, threads=1, lanes=1)
    with started_server(tmp_path_factory.mktemp("streaming"), config=config) as server:
        yield server


@pytest.fixture(scope="module")
def whole(server: Server) -> dict[str, Any]:
    """The answer in one piece, to a model that has seen the prompt before."""
    for _ in range(2):
        reply = server.call("POST", f"/v1beta/models/{FLASH}:generateContent", REQUEST)
        assert reply.status == 200, reply.body
    answer = reply.json()
    assert answer["usageMetadata"]["candidatesTokenCount"] == ANSWER_TOKENS
    return answer


def text_of(response: dict[str, Any]) -> str:
    return response["candidates"][0]["content"]["parts"][0]["text"]


def check(chunks: list[dict[str, Any]], whole: dict[str, Any]) -> None:
    """Check that the chunks, as the wire spells them, are the whole answer."""
    assert len(chunks) > ANSWER_TOKENS / 2
    assert "".join(map(text_of, chunks)) == text_of(whole)
    *earlier, last = chunks
    assert len({chunk["responseId"] for chunk in chunks}) == 1
    assert not any("finishReason" in chunk["candidates"][0] for chunk in earlier)
    assert last["candidates"][0]["finishReason"] == whole["candidates"][0]["finishReason"]
    prompt_tokens = whole["usageMetadata"]["promptTokenCount"]
    assert {chunk["usageMetadata"]["promptTokenCount"] for chunk in chunks} == {prompt_tokens}
    assert last["usageMetadata"] == whole["usageMetadata"]


def test_python_streams_what_it_would_get_whole(server: Server, whole: dict[str, Any]) -> None:
    with sdk_client(server.url, API_KEY) as client:
        stream = client.models.generate_content_stream(
            model=FLASH, contents=QUESTION, config=types.GenerateContentConfig(**CONFIG)
        )
        chunks = [chunk.model_dump_json(by_alias=True, exclude_none=True) for chunk in stream]
    check([json.loads(chunk) for chunk in chunks], whole)


def test_javascript_streams_what_it_would_get_whole(
    server: Server, whole: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    examples = Examples(
        language="javascript", server=server, workplace=tmp_path_factory.mktemp("javascript")
    )
    told = f"const QUESTION = {json.dumps(QUESTION)};\nconst CONFIG = {json.dumps(CONFIG)};"
    finished = examples.run(given(told), given(JAVASCRIPT))
    check([json.loads(line) for line in finished.stdout.splitlines()], whole)
    assert examples.run(given(FAILING)).stdout == "ApiError 404\n"


def test_javascript_throws_the_error_that_ends_a_stream(tmp_path: Path) -> None:
    workplace = tmp_path / "javascript"
    workplace.mkdir()
    # It says one word an hour, until another request brings it down.
    config = echo_model(word_seconds=3600, crash_pattern="please crash")
    with started_server(tmp_path, config=config) as server:
        examples = Examples(language="javascript", server=server, workplace=workplace)
        listening = examples.start(given(BREAKING))
        try:
            server.wait_until(
                lambda: "heard one" in listening.printed(), PATIENCE_SECONDS, "the first chunk"
            )
            crash = {"contents": [{"parts": [{"text": "please crash"}]}]}
            server.call("POST", f"/v1beta/models/{FLASH}:generateContent", crash)
            finished = listening.finish()
        finally:
            examples.close()
    assert finished.stdout == "heard one \nApiError 503\n", finished.stderr


def test_a_line_of_a_batch_is_the_same_answer(server: Server, whole: dict[str, Any]) -> None:
    body = {"batch": {"inputConfig": {"requests": {"requests": [{"request": REQUEST}]}}}}
    created = server.call("POST", f"/v1beta/models/{FLASH}:batchGenerateContent", body).json()

    def done() -> bool:
        return server.call("GET", f"/v1beta/{created['name']}").json()["done"]

    server.wait_until(done, PATIENCE_SECONDS, "the batch to end")
    operation = server.call("GET", f"/v1beta/{created['name']}").json()
    (line,) = operation["response"]["inlinedResponses"]["inlinedResponses"]
    assert text_of(line["response"]) == text_of(whole)
    assert line["response"]["usageMetadata"] == whole["usageMetadata"]
