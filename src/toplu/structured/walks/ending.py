"""The way out of a structured answer that is being written: what would end it at this place.

    {"name": "Ann", "tags": ["a", "b   ──▶   "]}

It is found by the grammar that holds the answer, byte by byte, and proved by the validator.
"""

import random
from functools import lru_cache

import llguidance

from toplu.structured.grammar import BYTES
from toplu.structured.structure import Structure
from toplu.structured.walks.walk import Written, walk, walk_on

ENDING_BYTES_MAX = 4096
DRAWN = 16  # answers, among which the smallest is looked for
BLANKS = " \n"


class AnswerEnding:
    """Follows an answer of a plain schema as it is written, and knows how it may end."""

    def __init__(self, structure: Structure) -> None:
        self._structure = structure
        self._matcher = llguidance.LLMatcher(BYTES, structure.grammar, log_level=0)
        self._written = Written(is_text=structure.bare)
        self._is_lost = False  # the text is none of the grammar: nobody knows how it ends

    def add(self, text: str) -> None:
        """Take what was written next."""
        if not self._written.bytes:
            text = text.lstrip(BLANKS)  # some stand before the answer where there were thoughts
        data = text.encode()
        if not self._is_lost and data:
            self._is_lost = self._matcher.try_consume_tokens(list(data)) < len(data)
            self._written.add(data)

    def find(self) -> str | None:
        """Return the text that ends the answer here, empty if it may end as it is; None: none."""
        if self._is_lost:
            return None
        written = self._written.copy()
        begun = len(written.bytes)
        matcher = self._matcher.deep_copy()
        whole = walk_on(matcher, written, None, begun + ENDING_BYTES_MAX)
        if whole is None or self._structure.find_violation(whole) is not None:
            return None
        return whole.encode()[begun:].decode()


@lru_cache(maxsize=256)
def smallest_answer(structure: Structure) -> str | None:
    """Return the smallest of some answers of a plain schema; None: none of them validates."""
    found = [walk(structure.grammar, None, is_text=structure.bare)]
    found += [
        walk(structure.grammar, random.Random(seed), is_text=structure.bare)  # noqa: S311  # no secret
        for seed in range(DRAWN)
    ]
    valid = [
        answer
        for answer in found
        if answer is not None and structure.find_violation(answer) is None
    ]
    return min(valid, key=len, default=None)
