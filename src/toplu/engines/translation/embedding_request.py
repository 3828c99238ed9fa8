"""The decode step of embeddings: makes an EmbeddingQuery of a request, or says what is wrong."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from toplu.errors import FieldViolation, InvalidArgument, Unimplemented
from toplu.settings.server import ModelSettings
from toplu.wire.gemini.embedding import EmbedContentConfig, EmbedContentRequest, TaskType
from toplu.wire.gemini.proto_json import FAULTS_MAX

T = TypeVar("T")

# What a part may have beside its text without asking for anything more.
HARMLESS = frozenset({"text", "thought", "thought_signature", "part_metadata"})


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingQuery:
    """One text and what its vector is to be like."""

    text: str
    dimensions: int
    may_be_cut: bool
    task: TaskType | None = None  # None: it is not given, or makes no difference


def read_query(request: EmbedContentRequest, model: ModelSettings) -> EmbeddingQuery:
    """Return what the embedder of `model` is asked; `request.model` is the caller's to check.

    The task type is for servers that speak the Gemini API: all others have one space for all of
    them. A title stands above the text, on a line of its own.
    """
    config = _config_of(request)
    violations = _first(_content_violations(request), _config_violations(config, model))
    if violations:
        raise InvalidArgument(
            "".join(violation.description for violation in violations),
            details=InvalidArgument.of_fields(violations).details,
        )
    if unserved := _first(_unserved_parts(request), _unserved_settings(config, model)):
        verb = "is" if len(unserved) == 1 else "are"
        raise Unimplemented(f"{', '.join(unserved)} {verb} not served by this server yet.")
    assert request.content is not None, "checked above"
    texts = [config.title] if config.title else []
    texts += [part.text or "" for part in request.content.parts or []]
    return EmbeddingQuery(
        text="\n".join(texts),
        dimensions=config.output_dimensionality or model.dimensions,
        may_be_cut=config.auto_truncate is not False,
        task=config.task_type if model.is_relayed else None,
    )


def _first(*faults: Iterator[T]) -> list[T]:
    """Return as many as one answer counts."""
    return list(itertools.islice(itertools.chain(*faults), FAULTS_MAX))


def _config_of(request: EmbedContentRequest) -> EmbedContentConfig:
    """Return the settings of the request, wherever they stand."""
    given = request.embed_content_config or EmbedContentConfig()
    wanted = given.output_dimensionality
    return EmbedContentConfig(
        task_type=given.task_type or request.task_type,
        title=request.title if given.title is None else given.title,
        output_dimensionality=request.output_dimensionality if wanted is None else wanted,
        auto_truncate=given.auto_truncate,
        document_ocr=given.document_ocr,
        audio_track_extraction=given.audio_track_extraction,
    )


def _content_violations(request: EmbedContentRequest) -> Iterator[FieldViolation]:
    if request.content is None:
        yield _violation("content", "content is not specified")
        return
    if not request.content.parts:
        yield _violation("content.parts", "content.parts must not be empty")
    for index, part in enumerate(request.content.parts or []):
        path = f"content.parts[{index}]"
        if all(getattr(part, field) is None for field in part.__struct_fields__):
            reason = "required oneof field 'data' must have one initialized field"
            yield _violation(f"{path}.data", reason)
        elif part.text is not None and not _is_unicode(part.text):
            yield _violation(f"{path}.text", "text has half a surrogate pair")


def _config_violations(
    config: EmbedContentConfig, model: ModelSettings
) -> Iterator[FieldViolation]:
    wanted = config.output_dimensionality
    # Protobuf cannot distinguish a zero from nothing at all.
    if wanted and not 1 <= wanted <= model.dimensions:
        yield _violation(
            "output_dimensionality",
            f"output_dimensionality must be in the range [1, {model.dimensions}].",
        )
    if config.title is not None and not _is_unicode(config.title):
        yield _violation("title", "text has half a surrogate pair")


def _unserved_parts(request: EmbedContentRequest) -> Iterator[str]:
    assert request.content is not None, "checked before"
    for index, part in enumerate(request.content.parts or []):
        for name, wire_name in zip(
            part.__struct_fields__, part.__struct_encode_fields__, strict=True
        ):
            if name not in HARMLESS and getattr(part, name) is not None:
                yield f"content.parts[{index}].{wire_name}"


def _unserved_settings(config: EmbedContentConfig, model: ModelSettings) -> Iterator[str]:
    if model.is_relayed and config.auto_truncate is False:
        yield "embedContentConfig.autoTruncate"  # its servers do not say what they cut
    if config.document_ocr:
        yield "embedContentConfig.documentOcr"
    if config.audio_track_extraction:
        yield "embedContentConfig.audioTrackExtraction"


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _violation(field: str, reason: str) -> FieldViolation:
    return FieldViolation(field, f"* EmbedContentRequest.{field}: {reason}\n")
