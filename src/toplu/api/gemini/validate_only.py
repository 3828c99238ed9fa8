"""Create calls of batches: what they have in common, whether a batch is made or only validated."""

from starlette.requests import Request

from toplu.api.http.gate import is_asked
from toplu.batch.jobs.input import AnyBatch
from toplu.errors import InvalidArgument
from toplu.wire.gemini.batch import BatchGenerateContentRequest
from toplu.wire.gemini.embedding import AsyncBatchEmbedContentRequest

VALIDATE_QUERY = frozenset({"validateOnly", "validate_only"})

AnyBody = BatchGenerateContentRequest | AsyncBatchEmbedContentRequest


def validates_only(request: Request) -> bool:
    """Return whether the batch is not to be made; InvalidArgument: the parameter is no boolean."""
    return is_asked(request, VALIDATE_QUERY, _refusal)


def batch_of(body: AnyBody) -> AnyBatch:
    """Return the batch of a create call; InvalidArgument: it has none."""
    if body.batch is None:
        raise InvalidArgument(f"* {type(body).__name__}.batch: batch is not specified\n")
    return body.batch


def _refusal(value: str) -> InvalidArgument:
    return InvalidArgument(
        f'The query parameter validateOnly is "{value}"; known here: true, false.'
    )
