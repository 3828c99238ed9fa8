"""Caches with both SDKs and the real model, also in a batch, as the specification promises."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from google import genai
from google.genai import errors, types

from support.clients import sdk_client
from support.model_tables import model_table
from support.server import Server, started_server
from support.specification.examples import Examples, given
from support.waiting import eventually

pytestmark = pytest.mark.model

FLASH = "gemini-2.5-flash"
RULES = "These are the rules of the server, which you have to keep: never run, never shout. " * 4

JAVASCRIPT = """
import {GoogleGenAI} from '@google/genai';
const ai = new GoogleGenAI({apiKey: process.env.GEMINI_API_KEY});
const cache = await ai.caches.create({
  model: MODEL, config: {contents: RULES, systemInstruction: 'Be brief.', ttl: '300s'}});
const reply = await ai.models.generateContent({
  model: MODEL, contents: 'May I run?', config: {cachedContent: cache.name}});
const longer = await ai.caches.update({name: cache.name, config: {ttl: '600s'}});
const found = await ai.caches.get({name: cache.name});
const names = [];
for await (const each of await ai.caches.list()) names.push(each.name);
await ai.caches.delete({name: cache.name});
const gone = await ai.caches.get({name: cache.name}).catch(error => error.status);
console.log(JSON.stringify({cache, usage: reply.usageMetadata, longer, found, names, gone}));
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = model_table(output_tokens_max=8, threads=1, lanes=1)
    with started_server(tmp_path_factory.mktemp("caches"), config=config) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[genai.Client]:
    client = sdk_client(server.url)
    yield client
    client.close()


def test_a_cache_is_made_used_kept_longer_and_deleted(client: genai.Client) -> None:
    cache = client.caches.create(
        model=FLASH, config=types.CreateCachedContentConfig(contents=RULES, ttl="300s")
    )
    assert cache.name is not None
    assert cache.usage_metadata is not None
    tokens = cache.usage_metadata.total_token_count
    assert tokens is not None
    config = types.GenerateContentConfig(cached_content=cache.name)
    answer = client.models.generate_content(model=FLASH, contents="May I run?", config=config)
    assert answer.text
    usage = answer.usage_metadata
    assert usage is not None
    # Exactly the cache was found on the lane: what is cached is a prefix of the whole prompt.
    assert usage.cached_content_token_count == tokens
    assert usage.prompt_token_count is not None
    assert usage.prompt_token_count > tokens > 50
    longer = client.caches.update(name=cache.name, config={"ttl": "600s"})
    assert longer.expire_time is not None
    assert cache.expire_time is not None
    assert longer.expire_time > cache.expire_time
    assert [each.name for each in client.caches.list()] == [cache.name]
    client.caches.delete(name=cache.name)
    with pytest.raises(errors.ClientError) as caught:
        client.models.generate_content(model=FLASH, contents="May I run?", config=config)
    assert (caught.value.code, caught.value.status) == (403, "PERMISSION_DENIED")


def test_javascript_makes_uses_keeps_and_deletes_a_cache(server: Server, tmp_path: Path) -> None:
    examples = Examples(language="javascript", server=server, workplace=tmp_path)
    told = f"const MODEL = {json.dumps(FLASH)}, RULES = {json.dumps(RULES)};"
    said = json.loads(examples.run(given(told), given(JAVASCRIPT)).stdout)
    cache, usage = said["cache"], said["usage"]
    assert usage["cachedContentTokenCount"] == cache["usageMetadata"]["totalTokenCount"]
    assert said["longer"]["expireTime"] > cache["expireTime"]
    assert said["found"]["expireTime"] == said["longer"]["expireTime"]
    assert cache["name"] in said["names"]
    assert said["gone"] == 403


def test_the_lines_of_a_batch_share_a_cache(client: genai.Client) -> None:
    cache = client.caches.create(model=FLASH, config={"contents": RULES, "ttl": "300s"})
    assert cache.usage_metadata is not None
    questions = ["May I run?", "May I shout?", "May I sing?"]
    requests: list[types.InlinedRequestDict] = [
        {
            "contents": [{"role": "user", "parts": [{"text": text}]}],
            "config": {"cached_content": name},
        }
        for text, name in zip(
            questions, [cache.name, cache.name, "cachedContents/none"], strict=True
        )
    ]
    job = client.batches.create(model=FLASH, src=requests)
    assert job.name is not None

    def finished() -> types.BatchJob | None:
        found = client.batches.get(name=job.name or "")
        return found if found.done else None

    done = eventually(finished)
    assert done.dest is not None
    *hits, missing = done.dest.inlined_responses or []
    for hit in hits:
        assert hit.response is not None
        assert hit.response.usage_metadata is not None
        cached = hit.response.usage_metadata.cached_content_token_count
        assert cached is not None
        assert cached >= (cache.usage_metadata.total_token_count or 0) > 0
    assert missing.error is not None
    assert missing.error.code == 7
