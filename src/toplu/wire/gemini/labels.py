"""The labels of a request, and whether they can be."""

from toplu.errors import FieldViolation, InvalidArgument
from toplu.labels import Labels, label_faults
from toplu.wire.gemini.content import GenerateContentRequest
from toplu.wire.gemini.embedding import EmbedContentRequest


def check_labels(request: GenerateContentRequest | EmbedContentRequest) -> None:
    """Raise InvalidArgument if the request has labels that cannot be."""
    if fault := next(label_faults(labels_of(request) or {}), None):
        description = f"* GenerateContentRequest.labels: {fault}\n"
        raise InvalidArgument.of_fields([FieldViolation("labels", description)])


def labels_of(request: GenerateContentRequest | EmbedContentRequest) -> Labels | None:
    """Return the labels; what asks for a vector has none."""
    return request.labels if isinstance(request, GenerateContentRequest) else None
