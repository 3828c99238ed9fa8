"""EmbedContent: what one text asks for, what it gets, and the batch of such requests.

Source: the v1beta API description of generativelanguage.googleapis.com. Sizes of vectors are
the model's to judge, see `engines.translation.embedding_request`.
"""

from enum import StrEnum
from typing import Annotated

import msgspec

from toplu.wire.gemini.batch import InlinedEntry, InputSource, NewBatch
from toplu.wire.gemini.content import Content
from toplu.wire.gemini.message import Int64, Message

Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**31)]


class TaskType(StrEnum):
    """The purpose of the vector."""

    TASK_TYPE_UNSPECIFIED = "TASK_TYPE_UNSPECIFIED"
    RETRIEVAL_QUERY = "RETRIEVAL_QUERY"
    RETRIEVAL_DOCUMENT = "RETRIEVAL_DOCUMENT"
    SEMANTIC_SIMILARITY = "SEMANTIC_SIMILARITY"
    CLASSIFICATION = "CLASSIFICATION"
    CLUSTERING = "CLUSTERING"
    QUESTION_ANSWERING = "QUESTION_ANSWERING"
    FACT_VERIFICATION = "FACT_VERIFICATION"
    CODE_RETRIEVAL_QUERY = "CODE_RETRIEVAL_QUERY"


class EmbedContentConfig(Message, frozen=True, kw_only=True):
    """The rules for embedding; a field here goes before the same field of the request itself."""

    task_type: TaskType | None = None
    title: str | None = None
    output_dimensionality: Int32 | None = None
    auto_truncate: bool | None = None
    document_ocr: bool | None = None
    audio_track_extraction: bool | None = None


class EmbedContentRequest(Message, frozen=True, kw_only=True):
    """One text, in one or several parts, that gets one vector."""

    model: str | None = None
    content: Content | None = None
    task_type: TaskType | None = None
    title: str | None = None
    output_dimensionality: Int32 | None = None
    embed_content_config: EmbedContentConfig | None = None


class ContentEmbedding(Message, frozen=True, kw_only=True):
    """A vector."""

    values: list[float]


class EmbeddingUsage(Message, frozen=True, kw_only=True):
    """The number of tokens that were read."""

    prompt_token_count: int


class EmbedContentResponse(Message, frozen=True, kw_only=True):
    """The answer to one request; the count stands twice, for results as the SDKs type them.

    Only results of a batch have `token_count`: it is the older spelling of the two, and the
    only one that the SDKs read there.
    """

    embedding: ContentEmbedding
    token_count: Int64 | None = None
    usage_metadata: EmbeddingUsage


class BatchEmbedContentsRequest(Message, frozen=True, kw_only=True):
    """The body of `:batchEmbedContents`, which answers at once in spite of its name."""

    requests: list[EmbedContentRequest] | None = None


class BatchEmbedContentsResponse(Message, frozen=True, kw_only=True):
    """A vector for each request, in their order."""

    embeddings: list[ContentEmbedding]
    usage_metadata: EmbeddingUsage


class InlinedEmbedContentRequest(InlinedEntry, frozen=True, kw_only=True):
    """One EmbedContent request inside the create call."""

    request: EmbedContentRequest | None = None


class InlinedEmbedContentRequests(Message, frozen=True, kw_only=True):
    """The doubled `requests.requests` of the wire."""

    requests: list[InlinedEmbedContentRequest] | None = None


class InputEmbedContentConfig(InputSource, frozen=True, kw_only=True):
    """Exactly one of the two is set."""

    requests: InlinedEmbedContentRequests | None = None


class EmbedContentBatch(NewBatch, frozen=True, kw_only=True):
    """A batch of EmbedContent requests to be created."""

    input_config: InputEmbedContentConfig | None = None


class AsyncBatchEmbedContentRequest(Message, frozen=True, kw_only=True):
    """The body of `:asyncBatchEmbedContent`."""

    batch: EmbedContentBatch | None = None
