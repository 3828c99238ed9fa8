"""A structured answer ends in time, whatever the engine goes on to write."""

import json
from dataclasses import replace as with_changes

import pytest
from msgspec.structs import replace

from support.engines.engines_under_test import a_prompt, structure_of
from toplu.engines.generation import AnswerEnded, Piece
from toplu.engines.llama_cpp.closing import Closer, with_room
from toplu.engines.prompt import Thinking
from toplu.errors import InvalidArgument

STRINGS = structure_of(
    {
        "responseMimeType": "application/json",
        "responseJsonSchema": {"type": "array", "items": {"type": "string"}, "minItems": 1},
    }
)
TEXT = '["one", "two", "three and four"]'


async def count_words(text: str) -> int:
    """Count a token for every two bytes, rounded up."""
    return -(-len(text.encode()) // 2)


async def answer(text: str, tokens_max: int) -> tuple[str, AnswerEnded | None]:
    """Return what comes of an engine that writes the text, two bytes a token."""
    heard: list[Piece] = []

    async def hear(piece: Piece) -> None:
        heard.append(piece)

    closer = Closer(STRINGS, tokens_max, count_words, hear)
    written = ""
    for tokens, place in enumerate(range(0, len(text), 2), start=1):
        if tokens > tokens_max:
            break
        piece = Piece(index=0, text=text[place : place + 2], prompt_tokens=1, tokens=tokens)
        try:
            await closer(piece)
        except AnswerEnded as end:
            return "".join(each.text for each in heard) + end.text, end
        written += piece.text
    return written, None


@pytest.mark.parametrize("tokens_max", range(2, 16))
async def test_an_answer_is_whole_within_any_number_of_tokens(tokens_max: int) -> None:
    whole, end = await answer(TEXT, tokens_max)
    assert isinstance(json.loads(whole), list)
    assert end is not None
    assert end.tokens <= tokens_max


async def test_as_much_of_it_is_kept_as_has_room() -> None:
    whole, end = await answer(TEXT, 8)
    assert end is not None
    assert whole == '["one", "two"]'
    assert end.tokens == 7  # with a comma more, it could not end within 8


async def test_an_answer_that_ends_by_itself_is_left_alone() -> None:
    assert await answer(TEXT, 100) == (TEXT, None)


async def test_what_cannot_end_is_refused_before_it_begins() -> None:
    prompt = replace(a_prompt("Which?", tokens_max=1), structure=STRINGS)
    with pytest.raises(InvalidArgument, match="has 2 tokens; 1 are allowed"):
        await with_room(prompt, count_words)
    assert await with_room(replace(prompt, structure=None), count_words)


async def test_thoughts_leave_room_for_the_answer() -> None:
    prompt = a_prompt("Which?", tokens_max=50)
    thinking = Thinking(tokens_max=None)
    prompt = replace(prompt, structure=STRINGS, thinking=thinking)
    bounded = await with_room(prompt, count_words)
    assert bounded.thinking is not None
    assert bounded.thinking.tokens_max == 50 - len('[""]') - 8
    brief = replace(prompt, thinking=with_changes(thinking, tokens_max=5))
    assert await with_room(brief, count_words) == brief
