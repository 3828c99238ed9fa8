"""The results of a batch as cells of a table: answer, error, tokens."""

import json
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from toplu.errors import Code, RequestError
from toplu.oneshot.rows.schema_fields import AnswerSchema
from toplu.tables.table import Column, Kind

ERROR = Column("error", Kind.TEXT)
FINISH_REASON = Column("finish_reason", Kind.TEXT)
PROMPT_TOKENS = Column("prompt_tokens", Kind.INTEGER)
OUTPUT_TOKENS = Column("output_tokens", Kind.INTEGER)
STOP = "STOP"


class Part(msgspec.Struct, frozen=True):
    """A part of an answer; `thought` is none of it."""

    text: str = ""
    thought: bool = False


class Content(msgspec.Struct, frozen=True):
    """The parts of an answer."""

    parts: list[Part] = []


class Candidate(msgspec.Struct, frozen=True, rename="camel"):
    """An answer, and why it ended."""

    content: Content = Content()
    finish_reason: str | None = None
    finish_message: str | None = None


class Usage(msgspec.Struct, frozen=True, rename="camel"):
    """Tokens that were read and written."""

    prompt_token_count: int = 0
    candidates_token_count: int = 0
    thoughts_token_count: int = 0


class Vector(msgspec.Struct, frozen=True):
    """An embedding."""

    values: list[float]


class Response(msgspec.Struct, frozen=True, rename="camel"):
    """A response of either method."""

    candidates: list[Candidate] = []
    embedding: Vector | None = None
    usage_metadata: Usage = Usage()


class Result(msgspec.Struct, frozen=True):
    """One result as the server numbers them."""

    line: int  # of the batch's input, from 1
    response: Response | None = None
    error: RequestError | None = None


class AnswerForm(Protocol):
    """The columns of answers; `error` is one of them."""

    @property
    def columns(self) -> Sequence[Column]: ...

    def cells(self, result: Result) -> list[Any]: ...

    def without(self, reason: str) -> list[Any]:
        """Return the cells of a row that has no answer."""
        ...


class TextAnswers:
    """Answers in words, or the fields of answers that keep to a schema."""

    def __init__(self, schema: AnswerSchema | None = None) -> None:
        fields = schema.columns if schema is not None else ()
        self._schema = schema if fields else None
        self._fields = fields or (Column("answer", Kind.TEXT),)
        self.columns = (*self._fields, ERROR, FINISH_REASON, PROMPT_TOKENS, OUTPUT_TOKENS)

    def cells(self, result: Result) -> list[Any]:
        """Return the cells of one result."""
        response = result.response
        if response is None or result.error is not None:
            return self.without(error_text(result.error))
        candidate = response.candidates[0] if response.candidates else Candidate()
        text = "".join(part.text for part in candidate.content.parts if not part.thought)
        fields, error = self._read(text, candidate)
        usage = response.usage_metadata
        written = usage.candidates_token_count + usage.thoughts_token_count
        return [*fields, error, candidate.finish_reason, usage.prompt_token_count, written]

    def without(self, reason: str) -> list[Any]:
        """Return the cells of a row that has no answer."""
        return [*[None] * len(self._fields), reason, None, None, None]

    def _read(self, text: str, candidate: Candidate) -> tuple[Sequence[Any], str | None]:
        if self._schema is None:
            return [text or None], None if text else _why_empty(candidate)
        try:
            return self._schema.cells(json.loads(text)), None
        except (ValueError, TypeError, OverflowError) as error:
            reason = _why_empty(candidate) if candidate.finish_reason != STOP else str(error)
            return [None] * len(self._fields), reason


class VectorAnswers:
    """Vectors."""

    columns = (Column("embedding", Kind.VECTOR), ERROR, PROMPT_TOKENS)

    def cells(self, result: Result) -> list[Any]:
        """Return the cells of one result."""
        response = result.response
        if response is None or response.embedding is None:
            return self.without(error_text(result.error))
        return [response.embedding.values, None, response.usage_metadata.prompt_token_count]

    def without(self, reason: str) -> list[Any]:
        """Return the cells of a row that has no vector."""
        return [None, reason, None]


def error_text(error: RequestError | None) -> str:
    """Return an error as a cell has it."""
    if error is None:
        return "INTERNAL: the server gave neither a response nor an error"
    known = error.code in set(Code)
    return f"{Code(error.code).name if known else error.code}: {error.message}"


def _why_empty(candidate: Candidate) -> str:
    reason = candidate.finish_reason or "no finish reason"
    told = candidate.finish_message or "the answer breaks off"
    return f"{reason}: {told}" if reason != STOP else "STOP: the answer is empty"
