"""Caches with Google's SDK for Python and the real model."""

from collections.abc import Iterator

import pytest
from google import genai
from google.genai import errors, types

from model_tables import model_table
from server import Server, started_server

pytestmark = pytest.mark.model

FLASH = "gemini-2.5-flash"
RULES = "These are the rules of the house, which you have to keep: never run, never shout. " * 4


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = model_table(output_tokens_max=8, threads=1, lanes=1)
    with started_server(tmp_path_factory.mktemp("caches"), config=config) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[genai.Client]:
    client = genai.Client(api_key="any", http_options={"base_url": server.url})
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
