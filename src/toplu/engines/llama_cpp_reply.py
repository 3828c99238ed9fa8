"""What llama.cpp's HTTP server answers: a stream of chunks, or what went wrong."""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator

import msgspec

from toplu.engines.engine import (
    Completion,
    DecodingStep,
    EngineDied,
    Listener,
    Piece,
    TokenLogprob,
)
from toplu.errors import Internal, InvalidArgument, TopluError

HTTP_BAD_REQUEST = 400
HTTP_UNAVAILABLE = 503  # the model is still loading
EVENT_PREFIX = b"data: "
END_OF_STREAM = b"[DONE]"
TOO_LONG = "exceed_context_size_error"


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why the server refused or broke off."""

    code: int = 500
    message: str = "no reason given"
    type: str = ""
    n_prompt_tokens: int = 0
    n_ctx: int = 0


class Delta(msgspec.Struct, frozen=True, kw_only=True):
    """The text that a chunk adds."""

    content: str | None = None
    reasoning_content: str | None = None


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token and how likely it was."""

    token: str
    id: int | None = None
    logprob: float


class ChosenToken(Token, frozen=True, kw_only=True):
    """A token of the text, and which ones were the likeliest in its place."""

    top_logprobs: list[Token] = []


class Logprobs(msgspec.Struct, frozen=True, kw_only=True):
    """The tokens of a chunk."""

    content: list[ChosenToken] | None = None


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of the one candidate that is asked for."""

    delta: Delta
    logprobs: Logprobs | None = None
    finish_reason: str | None = None


class PromptTokens(msgspec.Struct, frozen=True, kw_only=True):
    """Where the prompt's tokens came from."""

    cached_tokens: int = 0


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """The token counts, in the last chunk."""

    prompt_tokens: int
    completion_tokens: int
    prompt_tokens_details: PromptTokens = PromptTokens()


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How much of the prompt has been read, in chunks before the first text."""

    total: int


class Timings(msgspec.Struct, frozen=True, kw_only=True):
    """How far the answer is, in every chunk if asked for."""

    predicted_n: int = 0


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """One event of the stream."""

    choices: list[Choice] = []
    prompt_progress: Progress | None = None
    timings: Timings | None = None
    usage: Usage | None = None
    error: Failure | None = None


class TokenCount(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a count."""

    input_tokens: int


class StateMoved(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a lane's state was saved to a file, or restored from it."""

    n_written: int = 0
    n_read: int = 0


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that is no stream."""

    error: Failure


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A whole stream, put together."""

    completion: Completion
    usage: Usage


_read_chunk = msgspec.json.Decoder(Chunk).decode


async def read_reply(
    lines: AsyncIterable[bytes],
    on_start: Callable[[], None],
    listener: Listener | None = None,
    *,
    index: int = 0,
    top_logprobs: int = 0,
) -> Reply:
    """Put the stream of candidate `index` together.

    `on_start` is called when the engine begins with the request.
    """
    pieces: list[Piece] = []
    prompt_tokens = 0
    thought_tokens: int | None = None
    finish_reason = None
    usage = None
    async for chunk in _chunks(lines):
        on_start()
        usage = chunk.usage or usage
        if chunk.prompt_progress is not None:
            prompt_tokens = chunk.prompt_progress.total
        for choice in chunk.choices:
            finish_reason = choice.finish_reason or finish_reason
            for piece in _pieces(choice, index, prompt_tokens, top_logprobs):
                if thought_tokens is None and not piece.is_thought and chunk.timings is not None:
                    # Whatever was written before the first token of the text.
                    thought_tokens = chunk.timings.predicted_n - 1
                pieces.append(piece)
                if listener is not None:
                    await listener(piece)
    if finish_reason is None or usage is None:
        raise EngineDied("llama.cpp broke off in the middle of its answer")
    return Reply(
        completion=_completion(
            pieces, usage, thought_tokens, hit_token_limit=finish_reason == "length"
        ),
        usage=usage,
    )


async def _chunks(lines: AsyncIterable[bytes]) -> AsyncIterator[Chunk]:
    async for line in lines:
        if not line.startswith(EVENT_PREFIX):
            continue  # an empty line, or a ping
        event = line.removeprefix(EVENT_PREFIX).strip()
        if event == END_OF_STREAM:
            return
        chunk = _read_chunk(event)
        if chunk.error is not None:
            raise failure_of(chunk.error)
        yield chunk


def _pieces(choice: Choice, index: int, prompt_tokens: int, top_logprobs: int) -> Iterator[Piece]:
    delta = choice.delta
    if delta.reasoning_content:
        yield Piece(
            index=index,
            text=delta.reasoning_content,
            prompt_tokens=prompt_tokens,
            is_thought=True,
        )
    if delta.content:
        tokens = (choice.logprobs or Logprobs()).content or []
        yield Piece(
            index=index,
            text=delta.content,
            prompt_tokens=prompt_tokens,
            steps=tuple(_step(token, top_logprobs) for token in tokens),
        )


def _completion(
    pieces: list[Piece], usage: Usage, thought_tokens: int | None, *, hit_token_limit: bool
) -> Completion:
    said = [piece for piece in pieces if not piece.is_thought]
    thoughts = "".join(piece.text for piece in pieces if piece.is_thought)
    if not thoughts:
        thought_tokens = 0
    elif thought_tokens is None:
        thought_tokens = usage.completion_tokens  # the answer ended before its text began
    return Completion(
        text="".join(piece.text for piece in said),
        tokens=usage.completion_tokens - thought_tokens,
        hit_token_limit=hit_token_limit,
        thoughts=thoughts,
        thought_tokens=thought_tokens,
        steps=tuple(step for piece in said for step in piece.steps),
    )


def _step(chosen: ChosenToken, top_logprobs: int) -> DecodingStep:
    return DecodingStep(
        chosen=_token(chosen),
        likeliest=tuple(_token(token) for token in chosen.top_logprobs[:top_logprobs]),
    )


def _token(token: Token) -> TokenLogprob:
    return TokenLogprob(token=token.token, token_id=token.id, logprob=token.logprob)


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
