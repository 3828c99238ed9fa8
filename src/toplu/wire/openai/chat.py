"""Chat completions: what one asks, what it gets, and the chunks of a streamed answer.

Source: OpenAI's API description. A field typed `Any` belongs to a feature that is known and not
served, or that is accepted without effect: `api.openai.translation` tells which.
"""

from typing import Any, Literal

from toplu.wire.openai.message import UNSET, FreeForm, Message, Unset
from toplu.wire.openai.tool import Tool, ToolCall, ToolChoice


class ImageUrl(Message, frozen=True, kw_only=True):
    """An image; `url` is a data URL."""

    url: str
    detail: Literal["auto", "low", "high"] | None = None


class FileInput(Message, frozen=True, kw_only=True):
    """A file, uploaded before or inside the request (a data URL or bare base64)."""

    file_id: str | None = None
    file_data: str | None = None
    filename: str | None = None


class ContentPart(Message, frozen=True, kw_only=True):
    """A piece of a message; its type says which of the others it has."""

    type: str
    text: str | None = None
    image_url: ImageUrl | None = None
    file: FileInput | None = None
    refusal: str | None = None


class ChatMessage(Message, frozen=True, kw_only=True):
    """One turn of a conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[ContentPart] | None = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    audio: Any = None
    function_call: Any = None


class JsonSchemaFormat(Message, frozen=True, kw_only=True, rename={"json_schema": "schema"}):
    """A schema that the answer keeps to, strict or not."""

    name: str | None = None
    json_schema: Any = None


class ResponseFormat(Message, frozen=True, kw_only=True):
    """The form of the answer."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchemaFormat | None = None


ServiceTier = Literal["auto", "default", "flex", "scale", "priority"]


class StreamOptions(Message, frozen=True, kw_only=True):
    """The things that a stream has besides the answer."""

    include_usage: bool | None = None


class SamplingFields(Message, frozen=True, kw_only=True):
    """The rules for sampling that chat and text completions share."""

    model: str
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None  # of vLLM and others
    n: int | None = None
    stop: str | list[str] | None = None
    max_tokens: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    logit_bias: Any = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    service_tier: ServiceTier | None = None


class ChatRequest(SamplingFields, frozen=True, kw_only=True):
    """The body of a chat completion."""

    messages: list[ChatMessage]
    max_completion_tokens: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    response_format: ResponseFormat | None = None
    tools: list[Tool] | None = None
    tool_choice: Literal["none", "auto", "required"] | ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: str | None = None
    modalities: list[str] | None = None
    audio: Any = None
    functions: Any = None
    function_call: Any = None
    web_search_options: Any = None


class TokenLogprob(Message, frozen=True, kw_only=True):
    """A token and how likely the model found it."""

    token: str
    logprob: float
    bytes: list[int]


class ChosenLogprob(TokenLogprob, frozen=True, kw_only=True):
    """The token that was chosen, with the likeliest at its place."""

    top_logprobs: list[TokenLogprob]


class Logprobs(Message, frozen=True, kw_only=True):
    """An entry for each token of the answer."""

    content: list[ChosenLogprob]
    refusal: None = None


class AnswerMessage(Message, frozen=True, kw_only=True):
    """The message of an answer; without content it calls functions."""

    role: Literal["assistant"] = "assistant"
    content: str | None
    refusal: None = None
    tool_calls: list[ToolCall] | Unset = UNSET


class Choice(Message, frozen=True, kw_only=True):
    """One answer."""

    index: int
    message: AnswerMessage
    logprobs: Logprobs | None = None
    finish_reason: str
    finish_message: str | Unset = UNSET  # of ours: why, where the reason alone is not enough


class PromptTokensDetails(Message, frozen=True, kw_only=True):
    """Of the tokens that were read."""

    cached_tokens: int


class CompletionTokensDetails(Message, frozen=True, kw_only=True):
    """Of the tokens that were written."""

    reasoning_tokens: int


class CompletionUsage(Message, frozen=True, kw_only=True):
    """Tokens of one answer; those of thoughts are among the completion's."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails
    completion_tokens_details: CompletionTokensDetails


class ChatCompletion(Message, frozen=True, kw_only=True):
    """The answer to a chat completion."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: CompletionUsage
    service_tier: str = "default"
    system_fingerprint: str | None = None


class ChunkChoice(Message, frozen=True, kw_only=True):
    """A piece of one answer; `delta` has what is new."""

    index: int
    delta: FreeForm
    logprobs: Logprobs | None = None
    finish_reason: str | None = None
    finish_message: str | Unset = UNSET


class ChatChunk(Message, frozen=True, kw_only=True):
    """A chunk of a streamed answer; the last one may have the usage, and no choice."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: CompletionUsage | Unset | None = UNSET
    service_tier: str = "default"
    system_fingerprint: str | None = None
