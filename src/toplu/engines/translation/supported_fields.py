"""The fields of a request that are served: the rows below are all that asks for text.

A field is served if it is in SERVED, or if its value passes the test in HARMLESS: then it asks
for nothing that plain text does not already give. Every other field that is set is known to the
Gemini API and refused by name. To serve a feature, move its row.
"""

from collections.abc import Callable, Iterator
from typing import Any

from msgspec.structs import astuple

from toplu.engines.translation.media import ResolvedMedia
from toplu.wire.gemini.content import (
    Content,
    GenerateContentRequest,
    GenerationConfig,
    Part,
    PartMediaResolution,
)
from toplu.wire.gemini.message import Message
from toplu.wire.gemini.tool import (
    Behavior,
    FunctionCall,
    FunctionCallingConfig,
    FunctionDeclaration,
    FunctionResponse,
    GoogleSearch,
    GoogleSearchRetrieval,
    Scheduling,
    Tool,
    ToolConfig,
)

SERVED: dict[type[Message], frozenset[str]] = {
    GenerateContentRequest: frozenset(
        {
            "model",
            "contents",
            "system_instruction",
            "tools",
            "tool_config",
            "safety_settings",
            "generation_config",
            "labels",
        }
    ),
    Tool: frozenset({"function_declarations", "google_search", "google_search_retrieval"}),
    FunctionDeclaration: frozenset(
        {
            "name",
            "description",
            "parameters",
            "parameters_json_schema",
            "response",
            "response_json_schema",
        }
    ),
    ToolConfig: frozenset({"function_calling_config"}),
    FunctionCallingConfig: frozenset({"mode", "allowed_function_names"}),
    GoogleSearch: frozenset(),
    GoogleSearchRetrieval: frozenset({"dynamic_retrieval_config"}),
    Content: frozenset({"role", "parts"}),
    # `inline_data` and `file_data` are read before a prompt is: see `files.attachments`.
    Part: frozenset(
        {
            "text",
            "function_call",
            "function_response",
            "media_resolution",
            "thought",
            "thought_signature",
            "part_metadata",
        }
    ),
    PartMediaResolution: frozenset({"level"}),
    FunctionCall: frozenset({"id", "name", "args"}),
    FunctionResponse: frozenset({"id", "name", "response"}),
    GenerationConfig: frozenset(
        {
            "candidate_count",
            "stop_sequences",
            "max_output_tokens",
            "temperature",
            "top_p",
            "top_k",
            "seed",
            "presence_penalty",
            "frequency_penalty",
            "response_logprobs",
            "logprobs",
            "response_schema",
            "response_json_schema",
            "thinking_config",
            "media_resolution",
        }
    ),
}


def _is_empty(value: Any) -> bool:
    return not value


def _is_anything(_value: Any) -> bool:
    return True


def _is_shown(value: Any) -> bool:
    return isinstance(value, ResolvedMedia)


def _is_text_or_json(value: Any) -> bool:
    return value in ("", "text/plain", "application/json", "text/x.enum")


def _is_text_only(value: Any) -> bool:
    return all(modality in ("TEXT", "MODALITY_UNSPECIFIED") for modality in value)


def _blocks(value: Any) -> bool:
    return value in (Behavior.UNSPECIFIED, Behavior.BLOCKING)


def _is_not_scheduled(value: Any) -> bool:
    return value is Scheduling.SCHEDULING_UNSPECIFIED


HARMLESS: dict[type[Message], dict[str, Callable[[Any], bool]]] = {
    GenerateContentRequest: {
        "cached_content": _is_empty,
        "service_tier": _is_anything,  # it says how long a call may wait, and nothing of its answer
        "store": _is_anything,  # nothing is stored for later calls
    },
    Part: {"inline_data": _is_shown},
    FunctionDeclaration: {"behavior": _blocks},
    FunctionResponse: {
        "parts": _is_empty,
        "will_continue": _is_empty,
        "scheduling": _is_not_scheduled,
    },
    ToolConfig: {"retrieval_config": _is_empty, "include_server_side_tool_invocations": _is_empty},
    GenerationConfig: {
        "response_mime_type": _is_text_or_json,
        "response_modalities": _is_text_only,
        "enable_enhanced_civic_answers": _is_empty,
        "enable_affective_dialog": _is_empty,
    },
}

_NAMES = {
    kind: tuple(zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True))
    for kind in SERVED
}


def find_unserved(message: Message, path: str = "") -> Iterator[str]:
    """Yield the camelCase path of each field that is set and not served, in field order."""
    kind = type(message)
    for place, value in enumerate(astuple(message)):
        if value is None:
            continue
        name, wire_name = _NAMES[kind][place]
        if name not in SERVED[kind]:
            is_harmless = HARMLESS.get(kind, {}).get(name)
            if is_harmless is None or not is_harmless(value):
                yield path + wire_name
        elif isinstance(value, Message) and type(value) in SERVED:
            yield from find_unserved(value, f"{path}{wire_name}.")
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if type(item) in SERVED:
                    yield from find_unserved(item, f"{path}{wire_name}[{index}].")
