"""Walks along a grammar byte by byte: the shortest plain answer, or one drawn at random.

It answers by the same grammar that engines hold to, and so shows what they may write.
"""

import random
from collections.abc import Iterator

import llguidance

from toplu.structured.bounds import SchemaBounds
from toplu.structured.grammar import BYTES, END, compile_error, write_rule
from toplu.structured.held_schema import anchor_patterns
from toplu.structured.structure import Structure, write_whole

BYTES_MAX = 64 * 1024  # of the first answer; such a schema asks for a lot
DRAWN_BYTES_MAX = 4096
DRAWN_BYTES_TOTAL = 64 * 1024
ATTEMPTS_MAX = 200
# The plainest value of `format: uri`, which begins with no blank; most readers want one like it.
ADDRESS = b'https://a.a"'
BLANK = ord(" ")
QUOTE, ESCAPE = ord('"'), ord("\\")
# What ends a value comes first, then what keeps it short.
OUTSIDE_TEXT = b'}],:0123456789"ntfa-{[ '
INSIDE_TEXT = b'"a1A0-._@/:'
PLAIN = range(32, 127)
ENDS_AT = 0.9  # how likely a drawn answer ends where it may
SHORTENS_AT = 0.5


def sample_answer(structure: Structure) -> str:
    """Return an answer that validates: the plainest, else one of some that are drawn by seed.

    If none of them validates, the plainest comes all the same, and if none is short enough, no
    text at all: it is the caller's to validate.
    """
    first = ""
    for answer in _candidates(structure):
        if structure.find_violation(answer) is None:
            return answer
        first = first or answer
    return first


def _candidates(structure: Structure) -> Iterator[str]:
    """Yield answers that may validate: the plainest ones, then some of a bounded length in all."""
    grammars = [structure.grammar]
    if not structure.bare:
        anchored = write_whole(f"start: {write_rule(anchor_patterns(structure.held_schema))}\n")
        if anchored != structure.grammar and not compile_error(anchored, SchemaBounds()):
            grammars.append(anchored)
    for grammar in grammars:
        answer = walk(grammar, None, is_text=structure.bare)
        if answer is not None:
            yield answer
    drawn = 0
    for seed in range(1, ATTEMPTS_MAX):
        for grammar in grammars:
            source = random.Random(seed)  # noqa: S311  # no secret
            answer = walk(grammar, source, is_text=structure.bare)
            drawn += DRAWN_BYTES_MAX if answer is None else len(answer)
            if answer is not None:
                yield answer
        if drawn > DRAWN_BYTES_TOTAL:
            return


def walk(grammar: str, source: random.Random | None, *, is_text: bool = False) -> str | None:
    """Return an answer of the grammar, drawn from `source` if given; None: it gets too long.

    `is_text`: it is no JSON, whose strings end with a quote.
    """
    matcher = llguidance.LLMatcher(BYTES, grammar, log_level=0)
    most = BYTES_MAX if source is None else DRAWN_BYTES_MAX
    return walk_on(matcher, Written(is_text=is_text), source, most)


def walk_on(
    matcher: llguidance.LLMatcher, answer: "Written", source: random.Random | None, bytes_max: int
) -> str | None:
    """Return the answer that a walk ends with which has come so far; None: it gets too long."""
    while len(answer.bytes) < bytes_max:
        if matcher.is_error():
            return None
        if matcher.is_stopped():
            return answer.text()
        if forced := matcher.compute_ff_bytes():
            matcher.consume_tokens(list(forced))
            answer.add(forced)
            continue
        allowed = int.from_bytes(matcher.compute_bitmask(), "little")
        if allowed >> END & 1 and (source is None or source.random() < ENDS_AT):
            return answer.text()
        if source is None and answer.begins_text and not allowed >> BLANK & 1:
            taken = matcher.try_consume_tokens(list(ADDRESS))
            if taken == len(ADDRESS):
                answer.add(ADDRESS)
                continue
            matcher.rollback(taken)
        byte = answer.choose(allowed & ~(1 << END), source)
        if byte is None:
            return answer.text() if matcher.is_accepting() else None
        matcher.consume_token(byte)
        answer.add(bytes([byte]))
    return None


class Written:
    """The text so far, and whether it ends within a string."""

    def __init__(self, *, is_text: bool) -> None:
        self.bytes = bytearray()
        self._is_text = is_text  # all of it: no JSON
        self._in_text = is_text
        self._is_escaped = False

    def copy(self) -> "Written":
        """Return another one that has come as far."""
        other = Written(is_text=self._is_text)
        other.bytes = bytearray(self.bytes)
        other._in_text, other._is_escaped = self._in_text, self._is_escaped
        return other

    @property
    def begins_text(self) -> bool:
        """Whether the next byte is the first of a string."""
        return self._in_text and self.bytes[-1:] == b'"'

    def add(self, written: bytes) -> None:
        self.bytes += written
        if self._is_text:
            return
        for byte in written:
            if self._is_escaped:
                self._is_escaped = False
            elif self._in_text and byte == ESCAPE:
                self._is_escaped = True
            elif byte == QUOTE:
                self._in_text = not self._in_text

    def choose(self, allowed: int, source: random.Random | None) -> int | None:
        """Return the next byte; None: there is none."""
        if source is None or source.random() < SHORTENS_AT:
            order = INSIDE_TEXT if self._in_text else OUTSIDE_TEXT
            found = next((byte for byte in order if allowed >> byte & 1), None)
            if found is not None:
                return found
        options = [byte for byte in PLAIN if allowed >> byte & 1]
        options = options or [byte for byte in range(256) if allowed >> byte & 1]
        if not options:
            return None
        return options[0] if source is None else source.choice(options)

    def text(self) -> str:
        return self.bytes.decode()
