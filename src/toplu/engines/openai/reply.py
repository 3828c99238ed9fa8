"""Reads the answer of a remote chat server, and refuses one that is not whole."""

from collections.abc import AsyncIterable
from http import HTTPStatus

import msgspec

from toplu.engines.chat.reply import Answer, Reply, ReplyParts, read_events
from toplu.engines.generation import Listener
from toplu.engines.http.connection import lost, unreadable, words_of
from toplu.errors import Internal, InvalidArgument

_read_answer = msgspec.json.Decoder(Answer).decode


async def read_stream(
    lines: AsyncIterable[bytes], parts: ReplyParts, listener: Listener | None
) -> Reply:
    """Put the stream together; raise AnswerLost if it ends early or is something else."""
    async for event in read_events(lines):
        try:
            answer = _read_answer(event)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise unreadable(error) from error
        _raise_error(answer)
        for piece in parts.add(answer):
            if listener is not None:
                await listener(piece)
    return _whole(parts)


def read_whole(answer: Answer, parts: ReplyParts) -> Reply:
    """Return the completion that came in one."""
    _raise_error(answer)
    parts.add(answer)
    return _whole(parts)


def _raise_error(answer: Answer) -> None:
    if answer.error is not None:
        words = words_of(msgspec.json.encode(answer.error))
        if isinstance(answer.error, dict) and answer.error.get("code") == HTTPStatus.BAD_REQUEST:
            # vLLM has begun its reply to a stream when it finds out that it refuses it.
            raise InvalidArgument(words)
        raise lost(f"the server failed in the middle of its answer: {words}")


def _whole(parts: ReplyParts) -> Reply:
    if not parts.has_end:
        raise lost("the server broke off in the middle of its answer", overloaded=True)
    if parts.usage is None:
        raise Internal("The model's server does not say how many tokens it read and wrote.")
    return parts.whole()
