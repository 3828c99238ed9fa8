"""Marks a response as grounded: its sources, and what they bear out."""

import html
from collections.abc import Sequence

import msgspec

from toplu.tools.grounding import Evidence
from toplu.tools.supports import find_supports
from toplu.wire.gemini.content import GenerateContentResponse
from toplu.wire.gemini.grounding import (
    GroundingChunk,
    GroundingMetadata,
    SearchEntryPoint,
    WebChunk,
)


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
