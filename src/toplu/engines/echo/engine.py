"""The engine that repeats the last user text: no model, no cost, scriptable failures.

An image is written as `<image/png:640x480>`, one token. Asked for an answer of some form, it writes
a plain one that the grammar of the form allows. Asked to think, it thinks the same text. It is
certain of every word. It calls the functions whose names are words of the text, with plain
arguments; one that has to be called, in any case. Given the results of calls alone, it writes them
again as JSON.

A token is a word between white space. `crash_pattern` brings it down like a child process:
every call in flight fails and it stays dead, so that its supervisor starts another.
"""

import asyncio
import contextlib
import itertools
import json
import re
from collections.abc import Iterator
from functools import lru_cache, partial

from msgspec.structs import replace

from toplu.engines.calls import CALLS_MAX, Function, FunctionCall, Functions
from toplu.engines.engine import EngineDied
from toplu.engines.functions.text_format import write_turns
from toplu.engines.generation import (
    Completion,
    DecodingStep,
    Generation,
    Listener,
    Piece,
    TokenLogprob,
)
from toplu.engines.prompt import Image, Prompt, Turn
from toplu.errors import ConfigurationError, Internal, InvalidArgument
from toplu.settings.server import ModelSettings
from toplu.structured.guard.guarded import sample
from toplu.structured.guard.threads import read_schemas
from toplu.structured.structure import Structure

WORD = re.compile(r"\S+")
PIECE = re.compile(r"\s*\S+\s*")  # no text is between two pieces
NAME = re.compile(r"[\w:-]+(?:\.[\w:-]+)*")  # of a function


class EchoEngine:
    """Answers in process, deterministically, after the delay that its settings name."""

    def __init__(self, model: ModelSettings) -> None:
        self._delay_seconds = model.echo.delay_seconds
        self._word_seconds = model.echo.word_seconds
        self._fail_pattern = _compiled(model.echo.fail_pattern)
        self._crash_pattern = _compiled(model.echo.crash_pattern)
        self._context_tokens = model.context_tokens
        self._running = [asyncio.Semaphore(1) for _ in range(model.lanes)]
        self.dead = asyncio.Event()

    @property
    def lanes(self) -> int:
        return len(self._running)

    async def generate(
        self, prompt: Prompt, lane: int, listener: Listener | None = None
    ) -> Generation:
        prompt_tokens = await self.count_tokens(prompt.turns, prompt.functions)
        if prompt_tokens >= self._context_tokens:
            raise InvalidArgument(
                f"The input token count ({prompt_tokens}) exceeds the maximum number of tokens "
                f"allowed ({self._context_tokens - 1})."
            )
        text = next((_said(turn) for turn in reversed(prompt.turns) if turn.role == "user"), "")
        tokens_max = min(prompt.sampling.output_tokens_max, self._context_tokens - prompt_tokens)
        answer = partial(_answer, prompt, text, tokens_max)
        # The walk along a grammar that nobody has walked takes its time.
        has_form = prompt.structure is not None or prompt.functions is not None
        completion = await read_schemas(answer) if has_form else answer()
        async with self._running[lane]:
            self._raise_if_dead()
            if self._crash_pattern is not None and self._crash_pattern.search(text):
                self.dead.set()
            await self._let_pass(self._delay_seconds)
            if self._fail_pattern is not None and self._fail_pattern.search(text):
                raise Internal("The echo engine fails on this request by its settings.")
            if listener is not None or self._word_seconds:
                for index in range(prompt.candidate_count):
                    for piece in _pieces(completion, index, prompt_tokens):
                        await self._say(piece, listener)
        return Generation(
            completions=(completion,) * prompt.candidate_count,
            prompt_tokens=prompt_tokens,
            cached_tokens=0,
        )

    async def count_tokens(
        self, turns: tuple[Turn, ...], functions: Functions | None = None
    ) -> int:
        self._raise_if_dead()
        return sum(len(_said(turn).split()) for turn in write_turns(turns, functions))

    async def count_image_tokens(self, turns: tuple[Turn, ...]) -> int:
        self._raise_if_dead()
        return sum(len(turn.images) for turn in turns)

    async def count_prefix(self, prompt: Prompt) -> int:
        return await self.count_tokens(prompt.turns, prompt.functions)

    async def keep_prefix(self, prompt: Prompt, lane: int) -> None:
        pass

    async def forget_prefix(self, prefix_id: str) -> None:
        pass

    async def close(self) -> None:
        self.dead.set()

    async def _say(self, piece: Piece, listener: Listener | None) -> None:
        if listener is not None:
            await listener(piece)
        if self._word_seconds:
            await self._let_pass(self._word_seconds)

    async def _let_pass(self, seconds: float) -> None:
        """Let the time pass, unless the engine dies first."""
        if seconds:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self.dead.wait()
        self._raise_if_dead()

    def _raise_if_dead(self) -> None:
        if self.dead.is_set():
            raise EngineDied("The echo engine is down.")


def _compiled(pattern: str | None) -> re.Pattern[str] | None:
    try:
        return None if pattern is None else re.compile(pattern)
    except re.error as error:
        raise ConfigurationError(f"echo: `{pattern}` is no regular expression: {error}") from error


@lru_cache(maxsize=256)
def _sample(structure: Structure) -> str:
    return sample(structure)


def _said(turn: Turn) -> str:
    if isinstance(turn.content, str) and turn.content:
        return turn.content
    text = "\n".join(
        f"<{part.media_type}:{part.width}x{part.height}>" if isinstance(part, Image) else part
        for part in turn.parts
    )
    return text or " ".join(json.dumps(result.response) for result in turn.results)


def _complete(prompt: Prompt, text: str, tokens_max: int) -> Completion:
    if prompt.structure is not None:
        return _cut(_sample(prompt.structure), tokens_max)
    named = [] if prompt.functions is None else _named(prompt.functions, text)
    if not named:
        return _cut(text, tokens_max)
    samples = [_sample(function.arguments) for function in named]
    if not all(samples):
        return Completion(text="", tokens=0, hit_token_limit=False, broken_call=True)
    calls = [
        FunctionCall(name=function.name, arguments=json.loads(sample))
        for function, sample in zip(named, samples, strict=True)
    ]
    tokens = sum(len(json.dumps(call.arguments).split()) for call in calls)
    if tokens > tokens_max:
        return Completion(text="", tokens=tokens_max, hit_token_limit=True)
    return Completion(text="", tokens=tokens, hit_token_limit=False, calls=tuple(calls))


def _named(functions: Functions, text: str) -> list[Function]:
    """Return the functions that are called: those whose names are words of the text."""
    words = set(NAME.findall(text))
    named = [each for each in functions.allowed if each.name in words][:CALLS_MAX]
    if functions.must_call and not named:
        named = [functions.allowed[0]]
    return named


def _answer(prompt: Prompt, text: str, tokens_max: int) -> Completion:
    """Think the text, if thinking is asked for, then write it, or a value of the form asked for."""
    if prompt.thinking is None and prompt.top_logprobs is None:
        return _complete(prompt, text, tokens_max)
    budget = 0 if prompt.thinking is None else prompt.thinking.tokens_max
    thoughts = _cut(text, tokens_max if budget is None else min(budget, tokens_max))
    completion = _complete(prompt, text, tokens_max - thoughts.tokens)
    steps = () if prompt.top_logprobs is None else _steps(completion, prompt.top_logprobs)
    return replace(completion, thoughts=thoughts.text, thought_tokens=thoughts.tokens, steps=steps)


def _cut(text: str, tokens_max: int) -> Completion:
    count = len(text.split())
    if count <= tokens_max:
        return Completion(text=text, tokens=count, hit_token_limit=False)
    words = WORD.finditer(text)
    end = next(itertools.islice(words, tokens_max - 1, None)).end() if tokens_max else 0
    return Completion(text=text[:end], tokens=tokens_max, hit_token_limit=True)


def _steps(completion: Completion, top_logprobs: int) -> tuple[DecodingStep, ...]:
    """Return the steps of an engine that has no doubt about any word."""
    tokens = (
        TokenLogprob(token=word, token_id=None, logprob=0.0)
        for word in PIECE.findall(completion.text)
    )
    return tuple(DecodingStep(chosen=each, likeliest=(each,)[:top_logprobs]) for each in tokens)


def _pieces(completion: Completion, index: int, prompt_tokens: int) -> Iterator[Piece]:
    for word in PIECE.findall(completion.thoughts):
        yield Piece(index=index, text=word, prompt_tokens=prompt_tokens, is_thought=True)
    for place, word in enumerate(PIECE.findall(completion.text)):
        steps = completion.steps[place : place + 1]
        yield Piece(index=index, text=word, prompt_tokens=prompt_tokens, steps=steps)
