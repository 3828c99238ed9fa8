"""Marks a response as grounded: its sources, what they bear out, and what reading them cost."""

import html
from collections.abc import Sequence

import msgspec

from toplu.engines.answer import text_tokens
from toplu.engines.engine import Engine
from toplu.gemini.content import GenerateContentResponse
from toplu.gemini.grounding import (
    GroundingChunk,
    GroundingMetadata,
    SearchEntryPoint,
    WebChunk,
)
from toplu.tools.grounding import Evidence, Grounded
from toplu.tools.supports import find_supports


async def count_asked(grounded: Grounded, engine: Engine) -> int | None:
    """Return how many tokens the prompt has without what was found; None if nothing was."""
    if grounded.evidence is None or not grounded.evidence.pages:
        return None
    return await engine.count_tokens(grounded.asked)


def mark_answer(
    response: GenerateContentResponse, evidence: Evidence | None, answers: Sequence[str]
) -> GenerateContentResponse:
    """Return the response with its grounding, if there was a search.

    `answers` are the whole texts of all candidates; the response may have their ends alone.
    """
    if evidence is None:
        return response
    return msgspec.structs.replace(
        response,
        candidates=[
            msgspec.structs.replace(
                candidate, grounding_metadata=_metadata(evidence, answers[candidate.index])
            )
            for candidate in response.candidates
        ],
    )


def part_usage(
    response: GenerateContentResponse, asked_tokens: int | None
) -> GenerateContentResponse:
    """Return the response with the prompt's tokens parted in what was asked and what was found."""
    if asked_tokens is None:
        return response
    usage = response.usage_metadata
    asked_tokens = min(asked_tokens, usage.prompt_token_count)
    found_tokens = usage.prompt_token_count - asked_tokens
    # Cached tokens are told as a part of the prompt's, and so as no more than these.
    cached_tokens = min(usage.cached_content_token_count or 0, asked_tokens) or None
    parted = msgspec.structs.replace(
        usage,
        prompt_token_count=asked_tokens,
        prompt_tokens_details=text_tokens(asked_tokens),
        cached_content_token_count=cached_tokens,
        cache_tokens_details=text_tokens(cached_tokens) if cached_tokens else None,
        tool_use_prompt_token_count=found_tokens,
        tool_use_prompt_tokens_details=text_tokens(found_tokens),
    )
    return msgspec.structs.replace(response, usage_metadata=parted)


def _metadata(evidence: Evidence, answer: str) -> GroundingMetadata:
    chunks = [
        GroundingChunk(web=WebChunk(uri=page.uri, title=page.title, domain=page.domain))
        for page in evidence.pages
    ]
    return GroundingMetadata(
        web_search_queries=list(evidence.queries),
        search_entry_point=SearchEntryPoint(rendered_content=_render(evidence.queries)),
        grounding_chunks=chunks or None,
        grounding_supports=find_supports(answer, evidence.pages) or None,
    )


def _render(queries: Sequence[str]) -> str:
    """Return the queries as HTML; nothing in them is markup."""
    chips = "".join(f"<span>{html.escape(query)}</span>" for query in queries)
    return f'<div class="search-queries">{chips}</div>'
