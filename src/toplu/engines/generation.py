"""The generation that an engine answers with: whole, or piece by piece while it is made."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec

from toplu.engines.calls import FunctionCall


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLogprob:
    """A token and its log-probability in the model's own distribution, before any sampling."""

    token: str
    token_id: int | None  # None: the engine does not name it
    logprob: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodingStep:
    """One token of an answer, and which ones were the likeliest in its place."""

    chosen: TokenLogprob
    likeliest: tuple[TokenLogprob, ...]  # the likeliest first; the chosen may not be among them


class Completion(msgspec.Struct, frozen=True, kw_only=True):
    """One candidate answer: text, then calls."""

    text: str
    tokens: int  # without those of the thoughts
    hit_token_limit: bool
    thoughts: str = ""
    thought_tokens: int = 0
    # Of text and calls as the engine writes them, if the prompt asks for log-probabilities.
    steps: tuple[DecodingStep, ...] = ()
    calls: tuple[FunctionCall, ...] = ()  # whole ones only
    broken_call: bool = False  # a call is missing that cannot be read, or has no end
    shortened: bool = (
        False  # the engine was stopped, and the end written, to keep within its tokens
    )
    violation: str = ""  # what of its form a finished answer breaks; empty: nothing


class Generation(msgspec.Struct, frozen=True, kw_only=True):
    """The answers of one prompt, and the tokens that they took."""

    completions: tuple[Completion, ...]
    prompt_tokens: int
    cached_tokens: int  # of the prompt tokens, those that were not computed again
    discarded: "tuple[Generation, ...]" = ()  # earlier attempts, whose answers broke their form

    @property
    def attempts(self) -> "tuple[Generation, ...]":
        """Return all that was computed, from the first attempt to this one."""
        return (*self.discarded, self)

    def without_thoughts(self) -> "Generation":
        """Return the same with nobody's thoughts in words; their tokens still count."""
        if not any(completion.thoughts for completion in self.completions):
            return self
        silent = (
            msgspec.structs.replace(completion, thoughts="") for completion in self.completions
        )
        return msgspec.structs.replace(self, completions=tuple(silent))


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """Some text of one candidate, as it comes; never empty."""

    index: int  # of the candidate: they come one after another
    text: str
    prompt_tokens: int
    tokens: int | None = (
        None  # of the candidate so far, thoughts too; None: the engine does not say
    )
    is_thought: bool = False  # all thoughts of a candidate come before its text
    steps: tuple[DecodingStep, ...] = ()


class AnswerEnded(Exception):
    """Raised by a listener: the engine is to stop, and the answer has this end."""

    def __init__(self, text: str, *, tokens: int, is_before: bool) -> None:
        super().__init__("the answer is ended")
        self.text = text
        self.tokens = tokens  # of the candidate with its end
        self.is_before = is_before  # the piece that was given is not of the answer


# Takes a piece; the engine goes on with the answer when it returns, and stops when it raises.
Listener = Callable[[Piece], Awaitable[None]]


class BegunNote:
    """A listener that merely notes that an answer is being made.

    It takes no time, and keeps nothing of what it hears, so that the answer may begin again.
    """

    def __init__(self, note: Callable[[], None]) -> None:
        self._note = note

    async def __call__(self, piece: Piece) -> None:  # noqa: ARG002  # whatever it is
        self._note()
