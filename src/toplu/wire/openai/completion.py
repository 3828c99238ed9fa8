"""Text completions, the older form: one prompt, one text."""

from typing import Any, Literal

from toplu.wire.openai.chat import CompletionUsage, SamplingFields
from toplu.wire.openai.message import UNSET, Message, Unset


class CompletionRequest(SamplingFields, frozen=True, kw_only=True):
    """The body of a completion."""

    prompt: str | list[Any]
    suffix: str | None = None
    echo: bool | None = None
    best_of: int | None = None
    logprobs: int | None = None


class TextLogprobs(Message, frozen=True, kw_only=True):
    """An entry for each token of the text, in every list."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: list[int]


class TextChoice(Message, frozen=True, kw_only=True):
    """One text."""

    index: int
    text: str
    logprobs: TextLogprobs | None = None
    finish_reason: str | None


class Completion(Message, frozen=True, kw_only=True):
    """The answer to a completion, or a chunk of it."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[TextChoice]
    usage: CompletionUsage | Unset | None = UNSET
