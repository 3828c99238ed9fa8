"""A GenerateContentResponse to a response of OpenAI's API."""

from typing import Literal

from toplu.api.openai.translation.asked import AnswerForm
from toplu.api.openai.translation.chat_answer import (
    calls_of,
    logprobs_of,
    parts_of,
    reason_of,
    text_of,
    usage_of,
)
from toplu.wire.openai.message import FreeForm
from toplu.wire.openai.response import (
    IncompleteDetails,
    InputTokensDetails,
    ResponseObject,
    ResponseUsage,
)
from toplu.wire.openai.tool import ToolCall

PLAIN_TEXT = {"format": {"type": "text"}}
REASONS: dict[str, Literal["max_output_tokens", "content_filter"]] = {
    "length": "max_output_tokens",
    "content_filter": "content_filter",
}


def response_object(response: FreeForm, form: AnswerForm, *, created: int) -> ResponseObject:
    """Return the response; `created` is in seconds since 1970."""
    core_id = str(response.get("responseId", ""))
    candidates = response.get("candidates") or [{}]
    candidate = candidates[0]
    parts = parts_of(candidate)
    calls = calls_of(parts, form)
    output = [call_item(core_id, place, call) for place, call in enumerate(calls)]
    if (text := text_of(parts)) or not calls:
        output.insert(0, message_item(core_id, text, logprobs=_logprobs(candidate)))
    reason = REASONS.get(reason_of(candidate, has_calls=bool(calls)))
    return begun(core_id, form, created=created, output=output, reason=reason, response=response)


def begun(
    core_id: str,
    form: AnswerForm,
    *,
    created: int,
    output: list[FreeForm],
    reason: Literal["max_output_tokens", "content_filter"] | None = None,
    response: FreeForm | None = None,
) -> ResponseObject:
    """Return the response as far as it has come; without `response` it goes on."""
    echo = form.echo or {}
    return ResponseObject(
        id=f"resp_{core_id}",
        created_at=created,
        status="in_progress" if response is None else "incomplete" if reason else "completed",
        incomplete_details=None if reason is None else IncompleteDetails(reason=reason),
        instructions=echo.get("instructions"),
        max_output_tokens=echo.get("max_output_tokens"),
        metadata=echo.get("metadata") or {},
        model=form.model,
        output=output,
        parallel_tool_calls=not form.one_call,
        service_tier=form.service_tier,
        temperature=echo.get("temperature"),
        text=echo.get("text") or PLAIN_TEXT,
        tool_choice=echo.get("tool_choice") or "auto",
        tools=echo.get("tools") or [],
        top_p=echo.get("top_p"),
        usage=None if response is None else _usage(response),
    )


def message_item(
    core_id: str, text: str, *, logprobs: list[FreeForm], status: str = "completed"
) -> FreeForm:
    """Return the item of the answer's text; one that goes on has no content yet."""
    content = [text_part(text, logprobs)] if status == "completed" else []
    return {
        "type": "message",
        "id": f"msg_{core_id}",
        "status": status,
        "role": "assistant",
        "content": content,
    }


def text_part(text: str, logprobs: list[FreeForm]) -> FreeForm:
    """Return the text as a part of its item."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs}


def call_item(core_id: str, place: int, call: ToolCall, status: str = "completed") -> FreeForm:
    """Return the item of a call; one that goes on has no arguments yet."""
    return {
        "type": "function_call",
        "id": f"fc_{core_id}_{place}",
        "call_id": call.id,
        "name": call.function.name,
        "arguments": call.function.arguments if status == "completed" else "",
        "status": status,
    }


def _logprobs(candidate: FreeForm) -> list[FreeForm]:
    found = logprobs_of(candidate)
    if found is None:
        return []
    return [
        {
            "token": token.token,
            "logprob": token.logprob,
            "bytes": token.bytes,
            "top_logprobs": [
                {"token": each.token, "logprob": each.logprob, "bytes": each.bytes}
                for each in token.top_logprobs
            ],
        }
        for token in found.content
    ]


def _usage(response: FreeForm) -> ResponseUsage:
    usage = usage_of(response)
    return ResponseUsage(
        input_tokens=usage.prompt_tokens,
        input_tokens_details=InputTokensDetails(
            cached_tokens=usage.prompt_tokens_details.cached_tokens
        ),
        output_tokens=usage.completion_tokens,
        output_tokens_details=usage.completion_tokens_details,
        total_tokens=usage.total_tokens,
    )
