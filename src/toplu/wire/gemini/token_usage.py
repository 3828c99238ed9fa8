"""Reads the usage of a response: the same numbers that its client reads."""

from typing import Any

from toplu.money import Usage
from toplu.wire.gemini.content import GenerateContentResponse
from toplu.wire.gemini.embedding import BatchEmbedContentsResponse, EmbedContentResponse
from toplu.wire.gemini.message import FreeForm, Response


def usage_of(response: Response) -> Usage:
    """Return the tokens of the response's usage metadata."""
    match response:
        case GenerateContentResponse(usage_metadata=usage):
            # What tools put before the question was read like the prompt.
            read = usage.prompt_token_count + (usage.tool_use_prompt_token_count or 0)
            return Usage(
                prompt_tokens=read,
                cached_tokens=usage.cached_content_token_count or 0,
                # Whatever was written, in candidates or elsewhere.
                output_tokens=usage.total_token_count - read,
            )
        case EmbedContentResponse() | BatchEmbedContentsResponse():
            return Usage(prompt_tokens=response.usage_metadata.prompt_token_count)
        case dict():
            return _relayed_usage(response.get("usageMetadata"))
        case _:
            raise AssertionError("every response of a model has usage metadata")


def sum_usage(one: FreeForm, other: FreeForm) -> FreeForm:
    """Return the usage of two responses together; what cannot be added is the other's."""
    return one | other | {name: _sum(one[name], other[name]) for name in one.keys() & other.keys()}


def _sum(one: Any, other: Any) -> Any:
    match one, other:
        case int(), int():
            return one + other
        case list(), list() if all(map(_is_tokens, (*one, *other))):
            counts: dict[str, int] = {}
            for each in (*one, *other):
                name = each["modality"]
                counts[name] = counts.get(name, 0) + each["tokenCount"]
            return [{"modality": name, "tokenCount": tokens} for name, tokens in counts.items()]
        case _:
            return other


def _is_tokens(value: Any) -> bool:
    """Return whether it is how many tokens there are of a modality."""
    match value:
        case {"modality": str(), "tokenCount": int()}:
            return True
        case _:
            return False


def _relayed_usage(usage: FreeForm | None) -> Usage:
    """Return what a server says that is not ours; what it does not say is nothing."""

    def count(name: str) -> int:
        value = usage.get(name) if isinstance(usage, dict) else None
        return value if isinstance(value, int) and value > 0 else 0

    read = count("promptTokenCount") + count("toolUsePromptTokenCount")
    written = count("candidatesTokenCount") + count("thoughtsTokenCount")
    return Usage(
        prompt_tokens=read,
        cached_tokens=min(count("cachedContentTokenCount"), read),
        output_tokens=max(count("totalTokenCount") - read, written),
    )
