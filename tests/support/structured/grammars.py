"""Grammars of llguidance as tests ask them: what they allow, and what they would write."""

import random

import llguidance

from toplu.structured.grammar import BYTES
from toplu.structured.structure import write_whole
from toplu.structured.walks.walk import walk


def allows(rules: str, text: str) -> bool:
    """Return whether the symbol `answer` of the rules matches the whole text."""
    grammar = write_whole(f"start: answer\n{rules}")
    matcher = llguidance.LLMatcher(BYTES, grammar, log_level=0)
    assert not matcher.is_error(), matcher.get_error()
    written = list(text.encode())
    return matcher.try_consume_tokens(written) == len(written) and matcher.is_accepting()


def drawn(rules: str, seed: int) -> str:
    """Return an answer that the rules allow."""
    source = random.Random(seed)
    grammar = write_whole(f"start: answer\n{rules}")
    answers = (walk(grammar, source) for _ in range(20))
    return next(answer for answer in answers if answer is not None)
