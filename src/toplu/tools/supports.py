"""Finds the pages that bear out the sentences of an answer, by the words that they share.

A sentence is supported by a page that has at least half of its telling words, two at least. The
confidence is that share. It says nothing of what the words mean together: only that the page
talks of the same.
"""

import itertools
import re
from collections.abc import Iterator, Sequence

from toplu.tools.search import Page
from toplu.tools.words import telling_words
from toplu.wire.gemini.grounding import GroundingSupport, Segment

# Every alternative begins behind one character, so that no text is gone through twice.
SENTENCE_END = re.compile(r"(?<=[.!?…])[\"'”’)\]]*(?=\s)|(?<=[。！？])|\n")  # noqa: RUF001  # wide stops
SHARE_MIN = 0.5
WORDS_MIN = 2
SENTENCES_MAX = 1000


def find_supports(answer: str, pages: Sequence[Page]) -> list[GroundingSupport]:
    """Return a support for each sentence that any page bears out, in the order of the answer."""
    known = [frozenset(telling_words(f"{page.title} {page.text}")) for page in pages]
    return [
        support
        for segment in _segments(answer)
        if (support := _support(segment, known)) is not None
    ]


def _segments(answer: str) -> Iterator[Segment]:
    """Yield the sentences; the places are bytes, and the text is exactly what lies there."""
    start = start_bytes = 0
    ends = itertools.chain((found.end() for found in SENTENCE_END.finditer(answer)), [len(answer)])
    for end in itertools.islice(ends, SENTENCES_MAX):
        whole = answer[start:end]
        if text := whole.strip():
            begin_bytes = start_bytes + len(whole[: whole.index(text)].encode())
            yield Segment(
                start_index=begin_bytes, end_index=begin_bytes + len(text.encode()), text=text
            )
        start, start_bytes = end, start_bytes + len(whole.encode())


def _support(segment: Segment, known: list[frozenset[str]]) -> GroundingSupport | None:
    words = set(telling_words(segment.text))
    shared = [len(words & page) for page in known]
    chosen = [
        index
        for index, count in enumerate(shared)
        if count >= WORDS_MIN and count >= SHARE_MIN * len(words)
    ]
    if not chosen:
        return None
    return GroundingSupport(
        segment=segment,
        grounding_chunk_indices=chosen,
        confidence_scores=[round(shared[index] / len(words), 4) for index in chosen],
    )
