"""Says in the span of an interactive call how its answer ended; what it was, if that is wanted."""

from collections.abc import Iterator
from typing import Any

import msgspec

from toplu.fleet.work import Answered
from toplu.tracing import names
from toplu.tracing.spans import SPANS
from toplu.wire.gemini.content import GenerateContentRequest

CONTENTS_BYTES_MAX = 16 * 1024  # of a span, each way


def note_answer(request: GenerateContentRequest, result: Any) -> None:
    """Note what the present span is to have of a request and of what came of it."""
    response = result.response if isinstance(result, Answered) else result
    if reasons := list(_finish_reasons(response)):
        SPANS.note(names.FINISH_REASONS, reasons)
    if SPANS.shows_contents:
        SPANS.note(names.INPUT_MESSAGES, _shown(request))
        SPANS.note(names.OUTPUT_MESSAGES, _shown(response))


def _finish_reasons(response: Any) -> Iterator[str]:
    """Yield those of the candidates; one that was relayed is the JSON that came."""
    is_json = isinstance(response, dict)
    found = response.get("candidates") if is_json else getattr(response, "candidates", None)
    for candidate in found or ():
        reason = candidate.get("finishReason") if is_json else candidate.finish_reason
        if reason:
            yield str(reason)


def _shown(message: Any) -> str:
    return msgspec.json.encode(message)[:CONTENTS_BYTES_MAX].decode(errors="ignore")
