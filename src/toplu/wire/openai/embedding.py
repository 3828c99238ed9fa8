"""Embeddings: texts in, vectors out."""

from typing import Any, Literal

from toplu.wire.openai.message import Message


class EmbeddingsRequest(Message, frozen=True, kw_only=True):
    """The body of a call for vectors, one text or several."""

    model: str
    input: str | list[Any]
    dimensions: int | None = None
    encoding_format: Literal["float", "base64"] | None = None


class Embedding(Message, frozen=True, kw_only=True):
    """A vector: numbers, or 32-bit little-endian floats in base64."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingsUsage(Message, frozen=True, kw_only=True):
    """Tokens that were read."""

    prompt_tokens: int
    total_tokens: int


class Embeddings(Message, frozen=True, kw_only=True):
    """A vector for each text, in their order."""

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: EmbeddingsUsage
