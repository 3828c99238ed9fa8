"""Ends a structured answer before its tokens do.

    tokens     1 … 96  97  98  99 100          100 are allowed
    written    {"a": ["x", "y", "z            of which the last would leave no room for "]}
                                 └──▶ "]}     so this is written instead, and the engine stopped

What is left of the tokens is looked at with each piece, once they get few. The last piece after
which the answer could still end is where it ends: one more, and it could not.
"""

import dataclasses
from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from toplu.engines.generation import AnswerEnded, Listener, Piece
from toplu.engines.prompt import Prompt
from toplu.errors import FieldViolation, InvalidArgument
from toplu.structured.structure import Structure
from toplu.structured.walks.ending import AnswerEnding, smallest_answer

WATCHED_TOKENS_MIN = 256
WATCHED_SIZES = 4  # of the smallest answer, in bytes: so long may a way out become at once
END_OF_THOUGHTS_TOKENS = 8

# Returns how many tokens a text has for the model.
CountText = Callable[[str], Awaitable[int]]


def closable(prompt: Prompt) -> Structure | None:
    """Return the structure of the prompt, if ways out of its answers are found at no great cost."""
    structure = prompt.structure
    return None if structure is None or structure.validator.is_guarded else structure


async def with_room(prompt: Prompt, count: CountText) -> Prompt:
    """Return the prompt with thoughts that leave room for an answer.

    InvalidArgument: the smallest answer has more tokens than are allowed.
    """
    structure = closable(prompt)
    smallest = None if structure is None else smallest_answer(structure)
    if smallest is None:
        return prompt
    tokens_max = prompt.sampling.output_tokens_max
    tokens = len(smallest.encode())  # no text has more tokens than bytes
    if tokens > tokens_max:
        tokens = await count(smallest)
    if tokens > tokens_max:
        field = "generation_config.max_output_tokens"
        raise InvalidArgument.of_fields(
            [
                FieldViolation(
                    field,
                    f"* GenerateContentRequest.{field}: the smallest answer that was found for the "
                    f"schema has {tokens} tokens; {tokens_max} are allowed.\n",
                )
            ]
        )
    thinking = prompt.thinking
    if thinking is None:
        return prompt
    room = max(0, tokens_max - tokens - END_OF_THOUGHTS_TOKENS)
    budget = room if thinking.tokens_max is None else min(room, thinking.tokens_max)
    return replace(prompt, thinking=dataclasses.replace(thinking, tokens_max=budget))


class Closer:
    """Listens to one candidate, and ends it by raising AnswerEnded."""

    def __init__(
        self, structure: Structure, tokens_max: int, count: CountText, listener: Listener | None
    ) -> None:
        self._listener = listener
        self._tokens_max = tokens_max
        self._count = count
        smallest = smallest_answer(structure) or ""
        self._watched_tokens = max(WATCHED_TOKENS_MIN, WATCHED_SIZES * len(smallest))
        self._ending = AnswerEnding(structure)
        # The way out before the present piece, and the tokens up to there; None: there was none.
        self._before: tuple[str, int] | None = None

    async def __call__(self, piece: Piece) -> None:
        if piece.is_thought or piece.tokens is None:
            await self._pass_on(piece)
            return
        self._ending.add(piece.text)
        left = self._tokens_max - piece.tokens
        way_out = await self._find(left) if left <= self._watched_tokens else None
        if way_out is None and self._before is not None:
            # The piece leaves no way out: it is not of the answer.
            text, tokens = self._before
            raise AnswerEnded(text, tokens=tokens + await self._count(text), is_before=True)
        await self._pass_on(piece)
        if way_out is not None and not left:
            raise AnswerEnded(way_out, tokens=piece.tokens, is_before=False)
        self._before = None if way_out is None else (way_out, piece.tokens)

    async def _find(self, left: int) -> str | None:
        text = self._ending.find()
        if text is None or len(text.encode()) <= left:
            return text
        return text if await self._count(text) <= left else None

    async def _pass_on(self, piece: Piece) -> None:
        if self._listener is not None:
            await self._listener(piece)
