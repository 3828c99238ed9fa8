"""The encode step of embeddings: makes the response of an Embedding."""

import math
from collections.abc import Sequence

from toplu.engines.embedder import Embedding
from toplu.engines.translation.embedding_request import EmbeddingQuery
from toplu.errors import InvalidArgument
from toplu.wire.gemini.embedding import ContentEmbedding, EmbedContentResponse, EmbeddingUsage

DECIMALS = 9


def write_embedding(
    embedding: Embedding, query: EmbeddingQuery, *, tokens_max: int
) -> EmbedContentResponse:
    """Return the response, or raise InvalidArgument if the text was cut and may not be."""
    if embedding.was_cut and not query.may_be_cut:
        raise InvalidArgument(
            "The input token count exceeds the maximum number of tokens allowed "
            f"({tokens_max}), and auto_truncate is false."
        )
    return EmbedContentResponse(
        embedding=ContentEmbedding(values=shortened(embedding.values, query.dimensions)),
        token_count=str(embedding.tokens),
        usage_metadata=EmbeddingUsage(prompt_token_count=embedding.tokens),
    )


def shortened(values: Sequence[float], dimensions: int) -> list[float]:
    """Return the first values, at length one again."""
    if dimensions >= len(values):
        return list(values)
    first = values[:dimensions]
    # All of them may be zero in a text engine's stand-in; in a model's vector they never are.
    length = math.hypot(*first) or 1.0
    return [round(value / length, DECIMALS) for value in first]
