"""Grounding metadata of an answer; only fields that the strict SDK types know."""

from toplu.wire.gemini.message import Message


class WebChunk(Message, frozen=True, kw_only=True):
    """A page that was found."""

    uri: str
    title: str
    domain: str


class GroundingChunk(Message, frozen=True, kw_only=True):
    """One source."""

    web: WebChunk


class Segment(Message, frozen=True, kw_only=True):
    """A span of the answer, in bytes of its UTF-8 text."""

    start_index: int
    end_index: int
    text: str


class GroundingSupport(Message, frozen=True, kw_only=True):
    """The sources that bear a segment out, and the share of it that each of them has."""

    segment: Segment
    grounding_chunk_indices: list[int]
    confidence_scores: list[float]


class SearchEntryPoint(Message, frozen=True, kw_only=True):
    """HTML with the queries that were searched for."""

    rendered_content: str


class GroundingMetadata(Message, frozen=True, kw_only=True):
    """The queries behind an answer, and the sources that bear it out."""

    web_search_queries: list[str]
    search_entry_point: SearchEntryPoint
    grounding_chunks: list[GroundingChunk] | None = None
    grounding_supports: list[GroundingSupport] | None = None
