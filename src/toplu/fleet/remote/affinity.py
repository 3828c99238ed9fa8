"""Keeps requests that begin alike on one server, where what they share has been computed.

Each server has a rank for each head, by a hash of the two; the first in the ranking that has
room is asked. A server that comes or goes moves only what it gains or had (rendezvous hashing),
and none gets more than a quarter above its share while others have room (bounded loads).
"""

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from toplu.engines.prompt import Prompt
from toplu.wire.gemini.content import GenerateContentRequest

HEAD_CHARACTERS = 1024
LOAD_FACTOR = 1.25
HASH_BYTES = 8


class Candidate(Protocol):
    """A server that may be asked."""

    @property
    def name(self) -> str: ...

    @property
    def weight(self) -> float: ...

    @property
    def in_flight(self) -> int: ...


@dataclass(frozen=True, slots=True)
class PromptHead:
    """The common start of requests that are best answered by the same server."""

    text: str


def head_of(prompt: Prompt) -> PromptHead:
    """Return the first words of the conversation, those of its instructions first."""
    return _head((turn.role, turn.text) for turn in prompt.turns)


def head_of_request(request: GenerateContentRequest) -> PromptHead:
    """Return the same of a request that is relayed."""
    system = request.system_instruction
    contents = [*([] if system is None else [system]), *(request.contents or [])]
    return _head(
        (content.role or "", "\n".join(part.text or "" for part in content.parts or []))
        for content in contents
    )


def _head(turns: Iterable[tuple[str, str]]) -> PromptHead:
    text = ""
    for role, words in turns:
        text += f"{role}\n{words}\n"
        if len(text) >= HEAD_CHARACTERS:
            break
    return PromptHead(text[:HEAD_CHARACTERS])


def ranked(candidates: Sequence[Candidate], head: PromptHead) -> list[int]:
    """Return the places of the candidates, the best for this head first."""
    scores = [_score(candidate, head) for candidate in candidates]
    return sorted(range(len(candidates)), key=lambda place: scores[place], reverse=True)


def choose(candidates: Sequence[Candidate], rooms: Sequence[int], head: PromptHead) -> int | None:
    """Return the place of the candidate to ask, None if none has room; `rooms`: free places."""
    places = [place for place in ranked(candidates, head) if rooms[place] > 0]
    weights = sum(candidates[place].weight for place in places)
    in_flight = 1 + sum(candidates[place].in_flight for place in places)
    for place in places:
        share = candidates[place].weight / weights
        if candidates[place].in_flight < math.ceil(LOAD_FACTOR * in_flight * share):
            return place
    return None


def _score(candidate: Candidate, head: PromptHead) -> float:
    hashed = hashlib.blake2b(
        f"{candidate.name}\n{head.text}".encode(), digest_size=HASH_BYTES
    ).digest()
    # In the middle of its step, so that it is neither 0 nor 1.
    fraction = (int.from_bytes(hashed) + 0.5) / 256**HASH_BYTES
    return candidate.weight / -math.log(fraction)
