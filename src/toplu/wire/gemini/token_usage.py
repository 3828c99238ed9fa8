"""Reads the usage of a response: the same numbers that its client reads."""

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
