"""Reads what a server that speaks the Gemini API answers: as it came, if it is an answer at all."""

from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

import msgspec

from toplu.engines.http.connection import lost, unreadable
from toplu.wire.gemini.message import FreeForm


def check_response(response: FreeForm) -> None:
    """Raise AnswerLost unless it is a whole response, whatever else it has."""
    _check_candidates(response)
    if not isinstance(response.get("usageMetadata"), dict):
        raise lost("the server does not say how many tokens it read and wrote")


def check_chunk(chunk: FreeForm) -> None:
    """Raise AnswerLost unless it is a part of a response."""
    if not isinstance(chunk.get("usageMetadata"), dict):
        _check_candidates(chunk)


def check_count(count: FreeForm) -> None:
    """Raise AnswerLost unless it says how long a prompt is."""
    if not _is_count(count.get("totalTokens")):
        raise lost("the server does not say how many tokens it counted")


def ends(chunk: FreeForm) -> bool:
    """Tell whether a stream that ends behind this chunk is whole."""
    feedback = chunk.get("promptFeedback")
    if isinstance(feedback, dict) and feedback.get("blockReason"):
        return True
    candidates = chunk.get("candidates")
    return isinstance(candidates, list) and any(
        isinstance(candidate, dict) and candidate.get("finishReason") for candidate in candidates
    )


async def split_lines(pieces: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Yield the lines of a body; one may have a whole image in it."""
    held: list[bytes] = []
    async for piece in pieces:
        first, *others = piece.split(b"\n")
        held.append(first)
        for other in others:
            yield b"".join(held)
            held = [other]
    yield b"".join(held)


def read_chunk(event: bytes) -> FreeForm:
    """Return the chunk, or raise AnswerLost if it is something else."""
    try:
        chunk: FreeForm = msgspec.json.decode(event, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise unreadable(error) from error
    return chunk


def _check_candidates(response: FreeForm) -> None:
    candidates = response.get("candidates")
    is_answered = isinstance(candidates, list) and candidates
    if not is_answered and not isinstance(response.get("promptFeedback"), dict):
        raise lost("the server's answer has no candidates")


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
