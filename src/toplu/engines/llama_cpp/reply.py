"""Reads the answers of llama.cpp's HTTP server: a stream of chunks, or an error."""

from collections.abc import AsyncIterable, Callable

import msgspec

from toplu.engines.chat.reply import Answer, Reply, ReplyParts, read_events
from toplu.engines.engine import EngineDied
from toplu.engines.generation import AnswerEnded, Listener
from toplu.errors import Internal, InvalidArgument, TopluError

HTTP_BAD_REQUEST = 400
HTTP_UNAVAILABLE = 503  # the model is still loading
TOO_LONG = "exceed_context_size_error"


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """The reason why the server refused or broke off."""

    code: int = 500
    message: str = "no reason given"
    type: str = ""
    n_prompt_tokens: int = 0
    n_ctx: int = 0


class TokenCount(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a count."""

    input_tokens: int


class TokenList(msgspec.Struct, frozen=True, kw_only=True):
    """The tokens of a text."""

    tokens: list[int]


class StateMoved(msgspec.Struct, frozen=True, kw_only=True):
    """The amount of a lane's state that was saved to a file, or restored from it."""

    n_written: int = 0
    n_read: int = 0


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that is no stream."""

    error: Failure


_read_chunk = msgspec.json.Decoder(Answer).decode


async def read_reply(
    lines: AsyncIterable[bytes],
    on_event: Callable[[], None],
    listener: Listener | None = None,
    *,
    index: int = 0,
    top_logprobs: int = 0,
) -> Reply:
    """Put the stream of candidate `index` together.

    `on_event` is called whenever the engine sends something; first when it begins with the request.
    """
    parts = ReplyParts(index=index, top_logprobs=top_logprobs)
    async for event in read_events(lines):
        chunk = _read_chunk(event)
        if chunk.error is not None:
            raise failure_of(msgspec.convert(chunk.error, Failure))
        on_event()
        pieces = parts.add(chunk)
        if listener is None:
            continue
        try:
            for piece in pieces:
                await listener(piece)
        except AnswerEnded as end:
            return parts.ended(end)
    if not parts.has_end or parts.usage is None:
        raise EngineDied("llama.cpp broke off in the middle of its answer")
    return parts.whole()


def read_refusal(status: int, body: bytes) -> TopluError:
    """Return the error that an answer which is not OK stands for."""
    try:
        failure = msgspec.json.decode(body, type=Refusal).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        failure = Failure(code=status, message=body[:200].decode(errors="replace"))
    return failure_of(failure)


def failure_of(failure: Failure) -> TopluError:
    """Return what a failure of the engine means for the request."""
    if failure.type == TOO_LONG:
        return InvalidArgument(
            f"The input token count ({failure.n_prompt_tokens}) exceeds the maximum number of "
            # The answer needs room for one token at least.
            f"tokens allowed ({failure.n_ctx - 1})."
        )
    if failure.code == HTTP_BAD_REQUEST:
        return InvalidArgument(failure.message)
    if failure.code == HTTP_UNAVAILABLE:
        return EngineDied(f"llama.cpp is not ready: {failure.message}")
    return Internal(f"llama.cpp: {failure.message}")
