"""Reads an answer in the generic form: which of it is text, and what it calls.

Let me see.          text
<tool_call>          the first mark ends the text, with the white space before it
{"name": …}
</tool_call>
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from toplu.engines.calls import FunctionCall, Functions
from toplu.engines.functions.text_format import CALL, CALL_END
from toplu.engines.generation import Completion, DecodingStep, Listener, Piece

MARK, END = CALL.strip(), CALL_END.strip()
BLANKS = re.compile(r"\s*")


def text_listener(listener: Listener | None, functions: Functions | None) -> Listener | None:
    """Return the listener to an answer that may have calls, which gets its text alone."""
    return listener if listener is None or functions is None else before_calls(listener)


def parse_calls(completion: Completion, functions: Functions | None) -> Completion:
    """Return the completion with its calls, if it may have any."""
    if functions is None:
        return completion
    return with_calls(completion, must_call=functions.must_call)


def before_calls(listener: Listener) -> Listener:
    """Return a listener to an answer that gets what is text for certain, and no call."""
    held = ""  # the text may end before it
    steps: tuple[DecodingStep, ...] = ()
    calls_begun = False

    async def take(piece: Piece) -> None:
        nonlocal held, steps, calls_begun
        if piece.is_thought or calls_begun:
            if piece.is_thought:
                await listener(piece)
            return
        text, mark, _ = (held + piece.text).partition(MARK)
        calls_begun = bool(mark)
        sure = text.rstrip() if mark else text[: _sure_length(text)]
        held, steps = text[len(sure) :], steps + piece.steps
        if sure:
            # Steps keep their order, whatever text is held back.
            await listener(replace(piece, text=sure, steps=steps))
            steps = ()

    return take


def with_calls(completion: Completion, *, must_call: bool = False) -> Completion:
    """Return the completion with the calls that stand in its text."""
    answer = completion.text
    text, mark, _ = answer.partition(MARK)
    if mark:
        calls, are_whole = _read_calls(answer[len(text) :])
        # At the limit, a call without an end is what the limit says already.
        broken_call = not are_whole and not completion.hit_token_limit
        return replace(completion, text=text.rstrip(), calls=calls, broken_call=broken_call)
    if completion.hit_token_limit and _half_mark(answer):
        # Half a mark is half a call.
        return replace(completion, text=answer[: _sure_length(answer)])
    # A vocabulary that keeps the mark from being text would leave calls without one.
    return replace(completion, broken_call=must_call and not completion.hit_token_limit)


def _read_calls(answer: str) -> tuple[tuple[FunctionCall, ...], bool]:
    """Return the calls up to the first that is broken, and whether there is none such."""
    calls: list[FunctionCall] = []
    at = 0
    while answer[at:].strip():
        value, at = _read_call(answer, at)
        match value:
            case {"name": str(name), "arguments": dict(arguments)}:
                calls.append(FunctionCall(name=name, arguments=arguments))
            case _:
                return tuple(calls), False
    return tuple(calls), True


def _read_call(answer: str, at: int) -> tuple[Any, int]:
    """Return the JSON of the call that begins here, and where it ends; None: it is broken.

    Blanks around the marks are as a model likes that no grammar holds.
    """
    at = _behind_blanks(answer, at)
    if not answer.startswith(MARK, at):
        return None, at
    try:
        # By its own end, because a string in it may have the mark of the end.
        value, end = json.JSONDecoder().raw_decode(answer, _behind_blanks(answer, at + len(MARK)))
    except (ValueError, RecursionError):
        return None, at
    end = _behind_blanks(answer, end)
    return (value, end + len(END)) if answer.startswith(END, end) else (None, at)


def _behind_blanks(text: str, at: int) -> int:
    return BLANKS.match(text, at).end()  # type: ignore[union-attr]  # it matches nothing as well


def _half_mark(text: str) -> str:
    """Return the beginning of a mark in which the text ends, if it does."""
    return next(filter(text.endswith, _beginnings()), "")


def _sure_length(text: str) -> int:
    """Return how much of the text would be text even if a mark came to its end next."""
    return len(text.removesuffix(_half_mark(text)).rstrip())


def _beginnings() -> Iterator[str]:
    return (MARK[:length] for length in range(len(MARK) - 1, 0, -1))
