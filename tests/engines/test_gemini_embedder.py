"""Requests to a server of vectors through the Gemini API, and the fate of its answers."""

import pytest

from support.engines.embedding_world import DIMENSIONS, is_of, world
from support.engines.misbehaving_gemini import MODEL, MisbehavingGemini, failing
from support.engines.misbehaving_server import changed
from toplu.errors import NotFound, Unimplemented
from toplu.wire.gemini.content import Content, Part
from toplu.wire.gemini.embedding import EmbedContentConfig, EmbedContentRequest, TaskType


def a_request(text: str, **fields: object) -> EmbedContentRequest:
    content = Content(parts=[Part(text=text)])
    return EmbedContentRequest(content=content, **fields)  # type: ignore[arg-type]


async def test_a_server_learns_what_each_vector_is_for():
    server = MisbehavingGemini()
    query = a_request("a", task_type=TaskType.RETRIEVAL_QUERY)
    async with world(server) as here:
        responses = await here.pool.answer_all([query, a_request("b")])
    assert all(map(is_of, responses, "ab"))
    (body,) = server.bodies
    asked = sorted(body["requests"], key=lambda request: request["content"]["parts"][0]["text"])
    common = {"model": f"models/{MODEL}", "outputDimensionality": DIMENSIONS}
    assert asked == [
        common | {"content": {"parts": [{"text": "a"}]}, "taskType": "RETRIEVAL_QUERY"},
        common | {"content": {"parts": [{"text": "b"}]}},
    ]


async def test_no_call_has_more_texts_than_the_api_allows():
    server = MisbehavingGemini()
    texts = [f"text {number}" for number in range(250)]
    async with world(server) as here:
        assert all(map(is_of, await here.outcomes(texts), texts))
    assert all(len(body["requests"]) <= 100 for body in server.bodies)
    assert sum(len(body["requests"]) for body in server.bodies) == 250


async def test_tokens_that_a_server_does_not_count_follow_from_the_characters():
    silent = changed(lambda answer: answer.pop("usageMetadata"))
    async with world(MisbehavingGemini(lambda *_: silent)) as here:
        response = await here.ask("four words, no more")
    assert response.usage_metadata.prompt_token_count == 5


async def test_that_no_text_be_cut_is_no_promise_of_ours():
    kept = a_request("a", embed_content_config=EmbedContentConfig(auto_truncate=False))
    async with world(MisbehavingGemini()) as here:
        with pytest.raises(Unimplemented, match="autoTruncate is not served"):
            await here.pool.answer(kept, interactive=True)


async def test_a_refusal_of_one_text_does_not_keep_the_server_from_others():
    refusal = failing(404, "NOT_FOUND", "no such thing")
    server = MisbehavingGemini(lambda text, _: refusal if "bad" in text else changed(bool))
    async with world(server, failures_max=1) as here:
        good, bad = await here.outcomes(["good", "bad"])
    assert is_of(good, "good")
    assert isinstance(bad, NotFound)
