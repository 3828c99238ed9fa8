"""Reads answers of OpenAI's chat API: a whole completion, or a stream of chunks.

Servers differ in what they leave out or send as null. `ReplyParts` puts an answer together, as
one part or as many.
"""

from collections.abc import AsyncIterable, AsyncIterator, Iterator
from typing import Any

import msgspec

from toplu.engines.chat.tools import CallParts, ToolCall
from toplu.engines.generation import (
    AnswerEnded,
    Completion,
    DecodingStep,
    Piece,
    TokenLogprob,
)

EVENT_PREFIX = b"data:"
END_OF_STREAM = b"[DONE]"


class Delta(msgspec.Struct, frozen=True, kw_only=True):
    """A message, or what a chunk adds to one."""

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None  # the same, of other servers
    tool_calls: list[ToolCall] | None = None

    @property
    def thoughts(self) -> str:
        return self.reasoning_content or self.reasoning or ""


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token and how likely it was."""

    token: str
    id: int | None = None
    logprob: float


class ChosenToken(Token, frozen=True, kw_only=True):
    """A token of the text, and which ones were the likeliest in its place."""

    top_logprobs: list[Token] | None = None


class Logprobs(msgspec.Struct, frozen=True, kw_only=True):
    """The tokens of a message or a chunk."""

    content: list[ChosenToken] | None = None


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """The one candidate that is asked for, or a piece of it."""

    message: Delta | None = None  # of a whole completion
    delta: Delta | None = None  # of a chunk
    logprobs: Logprobs | None = None
    finish_reason: str | None = None


class PromptTokens(msgspec.Struct, frozen=True, kw_only=True):
    """The prompt's tokens by their source."""

    cached_tokens: int | None = None


class CompletionTokens(msgspec.Struct, frozen=True, kw_only=True):
    """The answer's tokens by their kind."""

    reasoning_tokens: int | None = None


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """The token counts."""

    prompt_tokens: int
    completion_tokens: int = 0
    prompt_tokens_details: PromptTokens | None = None
    completion_tokens_details: CompletionTokens | None = None

    @property
    def cached_tokens(self) -> int:
        details = self.prompt_tokens_details or PromptTokens()
        return min(details.cached_tokens or 0, self.prompt_tokens)

    @property
    def reasoning_tokens(self) -> int | None:
        details = self.completion_tokens_details or CompletionTokens()
        return details.reasoning_tokens


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """The part of the prompt that llama.cpp has read, in chunks before the first text."""

    total: int
    cache: int = 0  # of them, those that were there already


class Timings(msgspec.Struct, frozen=True, kw_only=True):
    """The progress of llama.cpp's answer, in every chunk if asked for."""

    predicted_n: int = 0


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A whole completion, or one event of a stream."""

    choices: list[Choice] = []
    prompt_progress: Progress | None = None
    timings: Timings | None = None
    usage: Usage | None = None
    error: Any = None


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer."""

    completion: Completion
    usage: Usage


async def read_events(lines: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Yield the data of each event up to the end of the stream, whether or not it is marked."""
    async for line in lines:
        if not line.startswith(EVENT_PREFIX):
            continue  # an empty line, a ping, the name of an event
        event = line.removeprefix(EVENT_PREFIX).strip()
        if event == END_OF_STREAM:
            return
        yield event


class ReplyParts:
    """The parts of one candidate, as they come."""

    def __init__(self, *, index: int = 0, top_logprobs: int = 0) -> None:
        self._index = index
        self._top_logprobs = top_logprobs
        self._pieces: list[Piece] = []
        self._prompt_tokens = 0  # as far as they are known
        self._cached_tokens = 0
        self._tokens: int | None = None
        self._shortened = False
        self._thought_tokens: int | None = None
        self._finish_reason: str | None = None
        self.usage: Usage | None = None
        self.calls = CallParts()

    @property
    def has_end(self) -> bool:
        """Whether the answer was finished."""
        return self._finish_reason is not None

    def add(self, answer: Answer) -> list[Piece]:
        """Return the pieces of this part; its error is the caller's to see."""
        if answer.usage is not None:
            self.usage = answer.usage
            self._prompt_tokens = answer.usage.prompt_tokens
        if answer.prompt_progress is not None:
            self._prompt_tokens = answer.prompt_progress.total
            self._cached_tokens = answer.prompt_progress.cache
        if answer.timings is not None:
            self._tokens = answer.timings.predicted_n
        pieces: list[Piece] = []
        for choice in answer.choices[:1]:
            self._finish_reason = choice.finish_reason or self._finish_reason
            pieces += self._pieces_of(choice)
            self.calls.add((choice.message or choice.delta or Delta()).tool_calls or [])
        begins = self._thought_tokens is None and any(not piece.is_thought for piece in pieces)
        if begins and answer.timings is not None:
            # Whatever was written before the first token of the text.
            self._thought_tokens = answer.timings.predicted_n - 1
        self._pieces += pieces
        return pieces

    def ended(self, end: AnswerEnded) -> Reply:
        """Return the answer with an end that the engine has not written."""
        if end.is_before:
            self._pieces.pop()
        if end.text:
            self._pieces.append(
                Piece(index=self._index, text=end.text, prompt_tokens=self._prompt_tokens)
            )
        self._shortened = bool(end.text)
        self._finish_reason = "stop"
        self.usage = Usage(
            prompt_tokens=self._prompt_tokens,
            completion_tokens=end.tokens,
            prompt_tokens_details=PromptTokens(cached_tokens=self._cached_tokens),
        )
        return self.whole()

    def whole(self) -> Reply:
        """Return the answer, which has an end and a usage."""
        assert self.usage is not None, "the caller has looked"
        spoken = [piece for piece in self._pieces if not piece.is_thought]
        text = "".join(piece.text for piece in spoken)
        thoughts = "".join(piece.text for piece in self._pieces if piece.is_thought)
        thought_tokens = self._count_thoughts(text, thoughts, self.usage)
        completion = Completion(
            text=text,
            tokens=self.usage.completion_tokens - thought_tokens,
            hit_token_limit=self._finish_reason == "length",
            thoughts=thoughts,
            thought_tokens=thought_tokens,
            shortened=self._shortened,
            steps=tuple(step for piece in spoken for step in piece.steps),
        )
        return Reply(completion=completion, usage=self.usage)

    def _count_thoughts(self, text: str, thoughts: str, usage: Usage) -> int:
        if not thoughts:
            return usage.reasoning_tokens or 0
        if not text:
            return usage.completion_tokens  # the answer ended before its text began
        counted = self._thought_tokens if usage.reasoning_tokens is None else usage.reasoning_tokens
        if counted is None:
            # The server counts only the sum. By their lengths the parts are nearly right.
            share = len(thoughts) / (len(thoughts) + len(text))
            counted = round(share * usage.completion_tokens)
        return min(counted, usage.completion_tokens)

    def _pieces_of(self, choice: Choice) -> Iterator[Piece]:
        delta = choice.message or choice.delta or Delta()
        if delta.thoughts:
            yield Piece(
                index=self._index,
                text=delta.thoughts,
                prompt_tokens=self._prompt_tokens,
                tokens=self._tokens,
                is_thought=True,
            )
        if delta.content:
            tokens = (choice.logprobs or Logprobs()).content or []
            yield Piece(
                index=self._index,
                text=delta.content,
                prompt_tokens=self._prompt_tokens,
                tokens=self._tokens,
                steps=tuple(_step(token, self._top_logprobs) for token in tokens),
            )


def _step(chosen: ChosenToken, top_logprobs: int) -> DecodingStep:
    likeliest = (chosen.top_logprobs or [])[:top_logprobs]
    return DecodingStep(
        chosen=_token(chosen), likeliest=tuple(_token(token) for token in likeliest)
    )


def _token(token: Token) -> TokenLogprob:
    return TokenLogprob(token=token.token, token_id=token.id, logprob=token.logprob)
