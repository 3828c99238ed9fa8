"""A copy is the response of another request but for the ids that every response has of its own."""

import msgspec

from toplu.engines.translation.copied_answer import copy_of
from toplu.wire.gemini.content import (
    Candidate,
    Content,
    FinishReason,
    GenerateContentResponse,
    Part,
    UsageMetadata,
)
from toplu.wire.gemini.embedding import ContentEmbedding, EmbedContentResponse, EmbeddingUsage
from toplu.wire.gemini.tool import FunctionCall

CALL = FunctionCall(id="first", name="f", args={"a": 1})
RESPONSE = GenerateContentResponse(
    candidates=[
        Candidate(
            content=Content(role="model", parts=[Part(text="t"), Part(function_call=CALL)]),
            finish_reason=FinishReason.STOP,
            index=0,
        )
    ],
    usage_metadata=UsageMetadata(prompt_token_count=5, total_token_count=7),
    model_version="m",
    response_id="id",
)


def test_a_copy_has_ids_of_its_own_and_nothing_else() -> None:
    copy = msgspec.to_builtins(copy_of(RESPONSE))
    original = msgspec.to_builtins(RESPONSE)
    call = copy["candidates"][0]["content"]["parts"][1]["functionCall"]
    assert copy["responseId"] not in ("", "id")
    assert call["id"] not in ("", "first")
    copy["responseId"], call["id"] = "id", "first"
    assert copy == original


def test_a_relayed_response_keeps_what_it_has() -> None:
    calls = {"candidates": [{"content": {"parts": [{"functionCall": {"id": "signed"}}]}}]}
    assert copy_of(calls) == calls
    copy = copy_of(calls | {"responseId": "id"})
    assert isinstance(copy, dict)
    assert copy["responseId"] != "id"
    assert copy["candidates"] == calls["candidates"]


def test_a_vector_has_no_id() -> None:
    vector = EmbedContentResponse(
        embedding=ContentEmbedding(values=[0.5]),
        usage_metadata=EmbeddingUsage(prompt_token_count=1),
    )
    assert copy_of(vector) == vector
