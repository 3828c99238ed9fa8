"""Responses: what one asks, and what it gets. Nothing of them is stored.

Source: OpenAI's API description. A field typed `Any` belongs to a feature that is known and not
served, or is accepted without effect: `api.openai.translation.responses.request` tells which.
"""

from typing import Any, Literal

from toplu.wire.openai.chat import CompletionTokensDetails, ServiceTier
from toplu.wire.openai.message import FreeForm, Message


class InputPart(Message, frozen=True, kw_only=True):
    """A piece of a message; its type says which of the others it has."""

    type: str
    text: str | None = None
    image_url: str | None = None
    file_id: str | None = None
    file_data: str | None = None
    filename: str | None = None
    refusal: str | None = None


class InputItem(Message, frozen=True, kw_only=True):
    """A message, a call that the model made, the result of one, or what it thought."""

    type: str = "message"
    role: Literal["system", "developer", "user", "assistant"] | None = None
    content: str | list[InputPart] | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    output: str | list[InputPart] | None = None


class FunctionTool(Message, frozen=True, kw_only=True):
    """A tool; functions alone are served."""

    type: str
    name: str | None = None
    description: str | None = None
    parameters: Any = None
    strict: bool | None = None


class FunctionChoice(Message, frozen=True, kw_only=True):
    """A function that has to be called, or those that may be."""

    type: str
    name: str | None = None
    mode: Literal["auto", "required"] | None = None
    tools: list["FunctionChoice"] | None = None


class TextFormat(Message, frozen=True, kw_only=True, rename={"json_schema": "schema"}):
    """The form of the text; the schema stands beside its name here."""

    type: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    json_schema: Any = None


class TextConfig(Message, frozen=True, kw_only=True):
    """Wishes for the text of an answer."""

    format: TextFormat | None = None


class Reasoning(Message, frozen=True, kw_only=True):
    """Wishes for the thoughts before it."""

    effort: str | None = None


class ResponseRequest(Message, frozen=True, kw_only=True):
    """The body of a response."""

    model: str
    input: str | list[InputItem]
    instructions: str | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_logprobs: int | None = None
    tools: list[FunctionTool] | None = None
    tool_choice: Literal["none", "auto", "required"] | FunctionChoice | None = None
    parallel_tool_calls: bool | None = None
    text: TextConfig | None = None
    reasoning: Reasoning | None = None
    metadata: dict[str, str] | None = None
    stream: bool | None = None
    background: bool | None = None
    service_tier: ServiceTier | None = None
    previous_response_id: Any = None
    conversation: Any = None
    prompt: Any = None


class InputTokensDetails(Message, frozen=True, kw_only=True):
    """Of the tokens that were read; writing a prefix to a cache is counted nowhere here."""

    cached_tokens: int
    cache_write_tokens: int = 0


class ResponseUsage(Message, frozen=True, kw_only=True):
    """Tokens of one answer; those of thoughts are among the output's."""

    input_tokens: int
    input_tokens_details: InputTokensDetails
    output_tokens: int
    output_tokens_details: CompletionTokensDetails
    total_tokens: int


class IncompleteDetails(Message, frozen=True, kw_only=True):
    """The reason why an answer ends before its end."""

    reason: Literal["max_output_tokens", "content_filter"]


class ResponseObject(Message, frozen=True, kw_only=True):
    """The answer; what of the request shaped it stands in it again."""

    id: str
    object: Literal["response"] = "response"
    created_at: int
    status: Literal["in_progress", "completed", "incomplete"]
    error: None = None
    incomplete_details: IncompleteDetails | None = None
    instructions: str | None = None
    max_output_tokens: int | None = None
    metadata: dict[str, str]
    model: str
    output: list[FreeForm]
    parallel_tool_calls: bool
    previous_response_id: None = None
    service_tier: str = "default"
    store: bool = False
    temperature: float | None = None
    text: FreeForm
    tool_choice: Any
    tools: list[FreeForm]
    top_p: float | None = None
    truncation: str = "disabled"
    usage: ResponseUsage | None = None


class ResponseEvent(Message, frozen=True, kw_only=True, omit_defaults=True):
    """An event of a streamed answer; which fields it has follows from its type."""

    type: str
    sequence_number: int
    response: ResponseObject | None = None
    output_index: int | None = None
    content_index: int | None = None
    item_id: str | None = None
    item: FreeForm | None = None
    part: FreeForm | None = None
    delta: str | None = None
    text: str | None = None
    arguments: str | None = None
    name: str | None = None
    logprobs: list[FreeForm] | None = None
