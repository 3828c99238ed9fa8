"""What llama.cpp's HTTP server answers: a stream of chunks, or what went wrong."""

from collections.abc import AsyncIterable, Awaitable, Callable

import msgspec

from toplu.engines.engine import Completion, EngineDied
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


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of the one candidate that is asked for."""

    delta: Delta
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


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """One event of the stream."""

    choices: list[Choice] = []
    prompt_progress: Progress | None = None
    usage: Usage | None = None
    error: Failure | None = None


class TokenCount(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a count."""

    input_tokens: int


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that is no stream."""

    error: Failure


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A whole stream, put together."""

    completion: Completion
    usage: Usage


_read_chunk = msgspec.json.Decoder(Chunk).decode

# Takes some text of the answer, and how many tokens the prompt has.
TextListener = Callable[[str, int], Awaitable[None]]


async def read_reply(
    lines: AsyncIterable[bytes],
    on_start: Callable[[], None],
    on_text: TextListener | None = None,
) -> Reply:
    """Put the stream together; `on_start` is called when the engine begins with the request."""
    text: list[str] = []
    prompt_tokens = 0
    finish_reason = None
    usage = None
    async for line in lines:
        if not line.startswith(EVENT_PREFIX):
            continue  # an empty line, or a ping
        event = line.removeprefix(EVENT_PREFIX).strip()
        if event == END_OF_STREAM:
            break
        chunk = _read_chunk(event)
        if chunk.error is not None:
            raise failure_of(chunk.error)
        on_start()
        usage = chunk.usage or usage
        if chunk.prompt_progress is not None:
            prompt_tokens = chunk.prompt_progress.total
        for choice in chunk.choices:
            if choice.delta.content:
                text.append(choice.delta.content)
                if on_text is not None:
                    await on_text(choice.delta.content, prompt_tokens)
            finish_reason = choice.finish_reason or finish_reason
    if finish_reason is None or usage is None:
        raise EngineDied("llama.cpp broke off in the middle of its answer")
    completion = Completion(
        text="".join(text),
        tokens=usage.completion_tokens,
        hit_token_limit=finish_reason == "length",
    )
    return Reply(completion=completion, usage=usage)


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
