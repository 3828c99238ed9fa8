"""A GenerateContentResponse to a chat completion.

Responses are read in their JSON form, as results of batches keep them and other Gemini servers
send them.
"""

import msgspec

from toplu.api.openai.translation.asked import AnswerForm
from toplu.wire.openai.chat import (
    AnswerMessage,
    ChatCompletion,
    Choice,
    ChosenLogprob,
    CompletionTokensDetails,
    CompletionUsage,
    Logprobs,
    PromptTokensDetails,
    TokenLogprob,
)
from toplu.wire.openai.message import UNSET, FreeForm
from toplu.wire.openai.tool import FunctionCall, ToolCall

# An answer that could not be brought to its schema is not to be read as one: SDKs refuse to parse
# one with this reason. `finish_message` says why.
UNFIT = "content_filter"
REASONS = {"STOP": "stop", "MAX_TOKENS": "length"}


def chat_completion(response: FreeForm, form: AnswerForm, *, created: int) -> ChatCompletion:
    """Return the completion; `created` is in seconds since 1970."""
    return ChatCompletion(
        id=f"chatcmpl-{response.get('responseId', '')}",
        created=created,
        model=form.model,
        choices=[
            _choice(index, candidate, form)
            for index, candidate in enumerate(response.get("candidates", []))
        ],
        usage=usage_of(response),
        service_tier=form.service_tier,
    )


def _choice(index: int, candidate: FreeForm, form: AnswerForm) -> Choice:
    parts = parts_of(candidate)
    calls = calls_of(parts, form)
    text = text_of(parts)
    return Choice(
        index=index,
        message=AnswerMessage(
            content=None if calls and not text else text, tool_calls=calls or UNSET
        ),
        logprobs=logprobs_of(candidate),
        finish_reason=reason_of(candidate, has_calls=bool(calls)),
        finish_message=candidate.get("finishMessage") or UNSET,
    )


def parts_of(candidate: FreeForm) -> list[FreeForm]:
    """Return the parts of the answer, without its thoughts."""
    parts: list[FreeForm] = (candidate.get("content") or {}).get("parts") or []
    return [part for part in parts if not part.get("thought")]


def text_of(parts: list[FreeForm]) -> str:
    """Return the text of the parts."""
    return "".join(part.get("text") or "" for part in parts)


def calls_of(parts: list[FreeForm], form: AnswerForm) -> list[ToolCall]:
    """Return the calls, the first alone if there is to be one."""
    calls = [part["functionCall"] for part in parts if "functionCall" in part]
    return [
        ToolCall(
            id=call.get("id") or f"call_{index}",
            function=FunctionCall(
                name=call.get("name") or "",
                arguments=msgspec.json.encode(call.get("args") or {}).decode(),
            ),
        )
        for index, call in enumerate(calls[:1] if form.one_call else calls)
    ]


def reason_of(candidate: FreeForm, *, has_calls: bool) -> str:
    """Return why the answer ends, in OpenAI's words."""
    reason = candidate.get("finishReason")
    if has_calls and reason == "STOP":
        return "tool_calls"
    return REASONS.get(str(reason), UNFIT)


def usage_of(response: FreeForm) -> CompletionUsage:
    """Return the tokens; what tools put before the question was read like the prompt."""
    usage = response.get("usageMetadata") or {}
    read = usage.get("promptTokenCount", 0) + usage.get("toolUsePromptTokenCount", 0)
    thought = usage.get("thoughtsTokenCount", 0)
    written = usage.get("candidatesTokenCount", 0) + thought
    return CompletionUsage(
        prompt_tokens=read,
        completion_tokens=written,
        total_tokens=read + written,
        prompt_tokens_details=PromptTokensDetails(
            cached_tokens=usage.get("cachedContentTokenCount", 0)
        ),
        completion_tokens_details=CompletionTokensDetails(reasoning_tokens=thought),
    )


def logprobs_of(candidate: FreeForm) -> Logprobs | None:
    """Return how likely the tokens of the answer were, if that was asked for."""
    result = candidate.get("logprobsResult")
    if result is None:
        return None
    chosen = result.get("chosenCandidates", [])
    tops = result.get("topCandidates") or [{}] * len(chosen)
    return Logprobs(
        content=[
            ChosenLogprob(
                **_token(token),
                top_logprobs=[TokenLogprob(**_token(each)) for each in top.get("candidates", [])],
            )
            for token, top in zip(chosen, tops, strict=True)
        ]
    )


def _token(token: FreeForm) -> FreeForm:
    text: str = token["token"]
    return {
        "token": text,
        "logprob": token["logProbability"],
        "bytes": list(text.encode("utf-8", "surrogatepass")),
    }
