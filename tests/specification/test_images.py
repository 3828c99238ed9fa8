"""Images in requests to the real model with a projector, through both SDKs and on lines of a batch.

The specification promises that a batch takes what the interactive API takes. The weights of the
projector are random, so that what the model says of an image means nothing; that it was given the
image, and the same one on each way, is what its tokens and its words tell.
"""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google import genai
from google.genai import types

from support.clients import sdk_client
from support.engines.random_projector import IMAGE_TOKENS, write_projector
from support.image_files import image_of
from support.model_tables import model_table
from support.server import Server, started_server
from support.specification.examples import API_KEY, Examples, given
from support.waiting import eventually

pytestmark = pytest.mark.model

FLASH = "gemini-2.5-flash"
QUESTION = "What is this?"
CONFIG = {"temperature": 0.0, "seed": 5, "maxOutputTokens": 16}
PICTURE = image_of("PNG", (320, 200))
PHOTOGRAPH = image_of("JPEG", (2000, 1500), (20, 90, 200))
JAVASCRIPT = """
import {GoogleGenAI, createPartFromUri} from '@google/genai';
import {readFileSync} from 'node:fs';
const ai = new GoogleGenAI({apiKey: process.env.GEMINI_API_KEY});
const file = await ai.files.upload({file: PHOTOGRAPH, config: {mimeType: 'image/jpeg'}});
const data = readFileSync(PICTURE).toString('base64');
const contents = [{role: 'user', parts: [
  {inlineData: {mimeType: 'image/png', data}}, createPartFromUri(file.uri, file.mimeType),
  {text: QUESTION}]}];
const reply = await ai.models.generateContent({
  model: 'gemini-2.5-flash', contents, config: CONFIG});
console.log(JSON.stringify(reply));
const counted = await ai.models.countTokens({model: 'gemini-2.5-flash', contents});
console.log(JSON.stringify(counted));
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("images")
    projector = write_projector(folder / "mmproj.gguf")
    # With one lane every answer finds the prefix that the one before it left.
    config = model_table(output_tokens_max=16, threads=1, lanes=1, projector=f"path:{projector}")
    with started_server(folder, config=config) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[genai.Client]:
    with sdk_client(server.url, API_KEY) as client:
        yield client


@pytest.fixture(scope="module")
def whole(server: Server) -> dict[str, Any]:
    """The answer on the wire, of a model that has seen the prompt before."""
    images = [(PICTURE, "image/png"), (PHOTOGRAPH, "image/jpeg")]
    parts = [
        {"inlineData": {"mimeType": mime_type, "data": base64.b64encode(data).decode()}}
        for data, mime_type in images
    ]
    body = {
        "contents": [{"role": "user", "parts": [*parts, {"text": QUESTION}]}],
        "generationConfig": CONFIG,
    }
    for _ in range(2):
        reply = server.call("POST", f"/v1beta/models/{FLASH}:generateContent", body)
        assert reply.status == 200, reply.body
    return reply.json()


def text_of(response: dict[str, Any]) -> str:
    return response["candidates"][0]["content"]["parts"][0]["text"]


def test_the_images_are_in_the_prompt(server: Server, whole: dict[str, Any]) -> None:
    body = {"contents": [{"parts": [{"text": QUESTION}]}]}
    reply = server.call("POST", f"/v1beta/models/{FLASH}:countTokens", body)
    text_tokens = reply.json()["totalTokens"]
    assert whole["usageMetadata"]["promptTokensDetails"] == [
        {"modality": "TEXT", "tokenCount": text_tokens},
        {"modality": "IMAGE", "tokenCount": 2 * IMAGE_TOKENS},
    ]
    assert whole["usageMetadata"]["promptTokenCount"] == text_tokens + 2 * IMAGE_TOKENS
    assert whole["usageMetadata"]["cachedContentTokenCount"] > 2 * IMAGE_TOKENS


def test_python_shows_what_it_carries_and_what_it_uploaded(
    client: genai.Client, whole: dict[str, Any], tmp_path: Path
) -> None:
    photograph = tmp_path / "photograph.jpg"
    photograph.write_bytes(PHOTOGRAPH)
    file = client.files.upload(file=photograph)
    assert file.mime_type == "image/jpeg"
    contents: list[Any] = [
        types.Part.from_bytes(data=PICTURE, mime_type="image/png"),
        file,
        QUESTION,
    ]
    reply = client.models.generate_content(model=FLASH, contents=contents, config=CONFIG)
    assert reply.text == text_of(whole)
    counted = client.models.count_tokens(model=FLASH, contents=contents)
    assert counted.total_tokens == reply.usage_metadata.prompt_token_count


def test_javascript_shows_what_it_carries_and_what_it_uploaded(
    server: Server, whole: dict[str, Any], tmp_path: Path
) -> None:
    told = [f"const QUESTION = {json.dumps(QUESTION)};", f"const CONFIG = {json.dumps(CONFIG)};"]
    for name, data in (("PICTURE", PICTURE), ("PHOTOGRAPH", PHOTOGRAPH)):
        path = tmp_path / name
        path.write_bytes(data)
        told.append(f"const {name} = {json.dumps(str(path))};")
    workplace = tmp_path / "javascript"
    workplace.mkdir()
    examples = Examples(language="javascript", server=server, workplace=workplace)
    finished = examples.run(given("\n".join(told)), given(JAVASCRIPT))
    reply, counted = map(json.loads, finished.stdout.splitlines())
    assert text_of(reply) == text_of(whole)
    assert counted["totalTokens"] == whole["usageMetadata"]["promptTokenCount"]


def test_lines_of_a_batch_show_what_interactive_calls_show(
    client: genai.Client, whole: dict[str, Any], tmp_path: Path
) -> None:
    photograph = tmp_path / "photograph.jpg"
    photograph.write_bytes(PHOTOGRAPH)
    file = client.files.upload(file=photograph)
    carried = {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(PICTURE).decode()}}
    lines = [
        {
            "key": uri,
            "request": {
                "contents": [{"role": "user", "parts": [carried, named, {"text": QUESTION}]}],
                "generationConfig": CONFIG,
            },
        }
        for uri in (file.uri, file.name, "files/not-there")
        for named in [{"fileData": {"fileUri": uri, "mimeType": "image/jpeg"}}]
    ]
    path = tmp_path / "requests.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    source = client.files.upload(file=path, config={"mime_type": "jsonl"})
    job = client.batches.create(model=FLASH, src=source.name)

    def done() -> types.BatchJob | None:
        found = client.batches.get(name=job.name)
        return found if found.state.name == "JOB_STATE_SUCCEEDED" else None

    results = client.files.download(file=eventually(done).dest.file_name)
    by_key = {line["key"]: line for line in map(json.loads, results.decode().splitlines())}
    for name in (file.uri, file.name):
        response = by_key[name]["response"]
        assert text_of(response) == text_of(whole)
        details = whole["usageMetadata"]["promptTokensDetails"]
        assert response["usageMetadata"]["promptTokensDetails"] == details
    assert by_key["files/not-there"]["error"]["code"] == 7
