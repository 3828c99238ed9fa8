"""Splits the tokens of a prompt: of its text, of its images, and of what a search found.

Engines count a prompt as a whole. The parts are counted beside it, before the answer begins, so
that every chunk of it can have them.
"""

import msgspec

from toplu.engines.engine import Engine
from toplu.engines.prompt import Turn
from toplu.engines.translation.answer import prompt_details, text_tokens
from toplu.tools.grounding import Grounded
from toplu.wire.gemini.content import GenerateContentResponse


class PromptParts(msgspec.Struct, frozen=True, kw_only=True):
    """The facts about a prompt beside its length."""

    asked_tokens: int | None  # without what was found; None if nothing was
    image_tokens: int | None  # None if the engine does not know


PLAIN = PromptParts(asked_tokens=None, image_tokens=0)


async def count_parts(grounded: Grounded, engine: Engine) -> PromptParts:
    """Return the parts of the prompt; without pages and images nothing has to be counted."""
    found = grounded.evidence is not None and grounded.evidence.pages
    if not found and not _has_images(grounded.prompt.turns):
        return PLAIN
    return PromptParts(
        asked_tokens=(
            await engine.count_tokens(grounded.asked, grounded.prompt.functions) if found else None
        ),
        image_tokens=await count_image_tokens(grounded.prompt.turns, engine),
    )


async def count_image_tokens(turns: tuple[Turn, ...], engine: Engine) -> int | None:
    """Return how many tokens the images of the turns make; None if the engine does not know."""
    return await engine.count_image_tokens(turns) if _has_images(turns) else 0


def _has_images(turns: tuple[Turn, ...]) -> bool:
    return any([turn.images for turn in turns])  # noqa: C419  # a generator costs more than a turn


def part_usage(response: GenerateContentResponse, parts: PromptParts) -> GenerateContentResponse:
    """Return the response with the prompt's tokens by kind."""
    if parts.asked_tokens is None and parts.image_tokens == 0:
        return response
    usage = response.usage_metadata
    asked_tokens = usage.prompt_token_count
    if parts.asked_tokens is not None:
        asked_tokens = min(parts.asked_tokens, asked_tokens)
        found_tokens = usage.prompt_token_count - asked_tokens
        usage = msgspec.structs.replace(
            usage,
            prompt_token_count=asked_tokens,
            tool_use_prompt_token_count=found_tokens,
            tool_use_prompt_tokens_details=text_tokens(found_tokens),
        )
    # Cached tokens are counted as a part of the prompt's, and so as no more than these.
    cached_tokens = min(usage.cached_content_token_count or 0, asked_tokens) or None
    # Which of them are of images, no engine says.
    tells_cached = parts.image_tokens == 0
    usage = msgspec.structs.replace(
        usage,
        prompt_tokens_details=prompt_details(asked_tokens, parts.image_tokens),
        cached_content_token_count=cached_tokens,
        cache_tokens_details=text_tokens(cached_tokens) if cached_tokens and tells_cached else None,
    )
    return msgspec.structs.replace(response, usage_metadata=usage)
