"""GenerateContent: the messages of one request and of one response.

Source: the v1beta API description of generativelanguage.googleapis.com. A field typed
`Any` belongs to a feature that is known and not served: `engines.translation.prompt` refuses it by
name.
"""

from enum import StrEnum
from typing import Annotated, Any

import msgspec

from toplu.wire.gemini.grounding import GroundingMetadata
from toplu.wire.gemini.logprobs import LogprobsResult
from toplu.wire.gemini.message import Message
from toplu.wire.gemini.schema import Schema
from toplu.wire.gemini.thinking import ThinkingConfig
from toplu.wire.gemini.tool import FunctionCall, FunctionResponse, Tool, ToolConfig


class Blob(Message, frozen=True, kw_only=True):
    """Bytes inside the request, base64."""

    mime_type: str | None = None
    data: bytes | None = None
    display_name: str | None = None


class FileData(Message, frozen=True, kw_only=True):
    """A file kept by the Files API."""

    mime_type: str | None = None
    file_uri: str | None = None
    display_name: str | None = None


class MediaResolution(StrEnum):
    """The size in which the model sees an image."""

    MEDIA_RESOLUTION_UNSPECIFIED = "MEDIA_RESOLUTION_UNSPECIFIED"
    MEDIA_RESOLUTION_LOW = "MEDIA_RESOLUTION_LOW"
    MEDIA_RESOLUTION_MEDIUM = "MEDIA_RESOLUTION_MEDIUM"
    MEDIA_RESOLUTION_HIGH = "MEDIA_RESOLUTION_HIGH"
    MEDIA_RESOLUTION_ULTRA_HIGH = "MEDIA_RESOLUTION_ULTRA_HIGH"


class PartMediaResolution(Message, frozen=True, kw_only=True):
    """The size in which the model sees one image."""

    level: MediaResolution | None = None
    num_tokens: Any = None


class Part(Message, frozen=True, kw_only=True):
    """One piece of a turn; exactly one of the payload fields is set."""

    text: str | None = None
    inline_data: Blob | None = None
    file_data: FileData | None = None
    function_call: FunctionCall | None = None
    function_response: FunctionResponse | None = None
    executable_code: Any = None
    code_execution_result: Any = None
    tool_call: Any = None
    tool_response: Any = None
    thought: bool | None = None
    thought_signature: bytes | None = None
    video_metadata: Any = None
    media_resolution: PartMediaResolution | None = None
    part_metadata: Any = None
    media_processing: Any = None
    audio_transcription: Any = None
    audio_metadata: Any = None
    speech_metadata: Any = None
    document_metadata: Any = None
    spreadsheet_metadata: Any = None


class Content(Message, frozen=True, kw_only=True):
    """One turn of a conversation."""

    role: str | None = None
    parts: list[Part] | None = None


class HarmCategory(StrEnum):
    """The subject of a safety setting."""

    HARM_CATEGORY_UNSPECIFIED = "HARM_CATEGORY_UNSPECIFIED"
    HARM_CATEGORY_DEROGATORY = "HARM_CATEGORY_DEROGATORY"
    HARM_CATEGORY_TOXICITY = "HARM_CATEGORY_TOXICITY"
    HARM_CATEGORY_VIOLENCE = "HARM_CATEGORY_VIOLENCE"
    HARM_CATEGORY_SEXUAL = "HARM_CATEGORY_SEXUAL"
    HARM_CATEGORY_MEDICAL = "HARM_CATEGORY_MEDICAL"
    HARM_CATEGORY_DANGEROUS = "HARM_CATEGORY_DANGEROUS"
    HARM_CATEGORY_HARASSMENT = "HARM_CATEGORY_HARASSMENT"
    HARM_CATEGORY_HATE_SPEECH = "HARM_CATEGORY_HATE_SPEECH"
    HARM_CATEGORY_SEXUALLY_EXPLICIT = "HARM_CATEGORY_SEXUALLY_EXPLICIT"
    HARM_CATEGORY_DANGEROUS_CONTENT = "HARM_CATEGORY_DANGEROUS_CONTENT"
    HARM_CATEGORY_CIVIC_INTEGRITY = "HARM_CATEGORY_CIVIC_INTEGRITY"
    # Of Google's other API: SDKs send them to this one as well.
    HARM_CATEGORY_IMAGE_HATE = "HARM_CATEGORY_IMAGE_HATE"
    HARM_CATEGORY_IMAGE_DANGEROUS_CONTENT = "HARM_CATEGORY_IMAGE_DANGEROUS_CONTENT"
    HARM_CATEGORY_IMAGE_HARASSMENT = "HARM_CATEGORY_IMAGE_HARASSMENT"
    HARM_CATEGORY_IMAGE_SEXUALLY_EXPLICIT = "HARM_CATEGORY_IMAGE_SEXUALLY_EXPLICIT"
    HARM_CATEGORY_JAILBREAK = "HARM_CATEGORY_JAILBREAK"


class HarmBlockThreshold(StrEnum):
    """From which probability on content is to be blocked."""

    HARM_BLOCK_THRESHOLD_UNSPECIFIED = "HARM_BLOCK_THRESHOLD_UNSPECIFIED"
    BLOCK_LOW_AND_ABOVE = "BLOCK_LOW_AND_ABOVE"
    BLOCK_MEDIUM_AND_ABOVE = "BLOCK_MEDIUM_AND_ABOVE"
    BLOCK_ONLY_HIGH = "BLOCK_ONLY_HIGH"
    BLOCK_NONE = "BLOCK_NONE"
    OFF = "OFF"


class SafetySetting(Message, frozen=True, kw_only=True):
    """Accepted without effect: no model here rates its output."""

    category: HarmCategory | None = None
    threshold: HarmBlockThreshold | None = None


class ResponseModality(StrEnum):
    """The kinds of parts that an answer may have."""

    MODALITY_UNSPECIFIED = "MODALITY_UNSPECIFIED"
    TEXT = "TEXT"
    IMAGE = "IMAGE"
    AUDIO = "AUDIO"
    VIDEO = "VIDEO"


class ServiceTier(StrEnum):
    """Of a call, whether it waits for others, and what it costs; lines of batches have none."""

    UNSPECIFIED = "unspecified"
    FLEX = "flex"
    STANDARD = "standard"
    PRIORITY = "priority"


class GenerationConfig(Message, frozen=True, kw_only=True):
    """The rules for sampling the answer."""

    candidate_count: Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**31)] | None = None
    stop_sequences: list[str] | None = None
    max_output_tokens: Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**31)] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**31)] | None = None
    seed: Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**31)] | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    response_logprobs: bool | None = None
    logprobs: Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**31)] | None = None
    response_mime_type: str | None = None
    response_schema: Schema | None = None
    response_json_schema: Any = None
    response_format: Any = None
    response_modalities: list[ResponseModality] | None = None
    media_resolution: MediaResolution | None = None
    thinking_config: ThinkingConfig | None = None
    speech_config: Any = None
    image_config: Any = None
    audio_transcription_config: Any = None
    translation_config: Any = None
    enable_enhanced_civic_answers: bool | None = None
    enable_affective_dialog: bool | None = None


class GenerateContentRequest(Message, frozen=True, kw_only=True):
    """Everything one request asks for."""

    model: str | None = None
    contents: list[Content] | None = None
    system_instruction: Content | None = None
    tools: list[Tool] | None = None
    tool_config: ToolConfig | None = None
    safety_settings: list[SafetySetting] | None = None
    generation_config: GenerationConfig | None = None
    cached_content: str | None = None
    service_tier: ServiceTier | None = None
    store: bool | None = None
    labels: dict[str, str] | None = None
    continuation_token: Any = None


class FinishReason(StrEnum):
    """The reason why a candidate ends."""

    STOP = "STOP"
    MAX_TOKENS = "MAX_TOKENS"
    MALFORMED_FUNCTION_CALL = "MALFORMED_FUNCTION_CALL"
    OTHER = "OTHER"


class Candidate(Message, frozen=True, kw_only=True):
    """One answer, or a part of one that goes on."""

    content: Content
    finish_reason: FinishReason | None = None
    finish_message: str | None = None  # why, in words, where the reason alone is not enough
    grounding_metadata: GroundingMetadata | None = None
    avg_logprobs: float | None = None
    logprobs_result: LogprobsResult | None = None
    index: int


class Modality(StrEnum):
    """The kind of data that tokens were made of."""

    TEXT = "TEXT"
    IMAGE = "IMAGE"


class ModalityTokenCount(Message, frozen=True, kw_only=True):
    """The tokens of one modality."""

    modality: Modality
    token_count: int


class UsageMetadata(Message, frozen=True, kw_only=True):
    """Token counts; `prompt_token_count` includes the cached ones."""

    prompt_token_count: int
    cached_content_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    total_token_count: int
    prompt_tokens_details: list[ModalityTokenCount] | None = None
    cache_tokens_details: list[ModalityTokenCount] | None = None
    candidates_tokens_details: list[ModalityTokenCount] | None = None
    tool_use_prompt_tokens_details: list[ModalityTokenCount] | None = None


class GenerateContentResponse(Message, frozen=True, kw_only=True):
    """Everything one request gets; only fields that the strict SDK types know."""

    candidates: list[Candidate]
    usage_metadata: UsageMetadata
    model_version: str
    response_id: str


class CountTokensRequest(Message, frozen=True, kw_only=True):
    """Either `contents` or a whole request; `model` repeats the URL."""

    model: str | None = None
    contents: list[Content] | None = None
    generate_content_request: GenerateContentRequest | None = None


class CountTokensResponse(Message, frozen=True, kw_only=True):
    """The length of a prompt for the model."""

    total_tokens: int
    cached_content_token_count: int | None = None
    prompt_tokens_details: list[ModalityTokenCount] | None = None
    cache_tokens_details: list[ModalityTokenCount] | None = None
