"""The contract between a request and whatever answers it.

A request travels decode → prompt → generate → encode: `engines.translation.prompt` makes a Prompt
of a GenerateContentRequest, an Engine makes a Generation of a Prompt, `engines.translation.answer`
makes the GenerateContentResponse. Only the middle step differs between engines.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from toplu.engines.calls import FunctionCall, FunctionResult, Functions
from toplu.errors import Unavailable
from toplu.structured.shape import Structure

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A picture as engines that see are given it: a file of bounded size that was written here."""

    media_type: str  # image/png or image/jpeg
    width: int
    height: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of the conversation that the model's own chat template is filled with.

    A turn of the assistant may end in calls. The next turn is then the user's, and begins with
    the result of each, in their order; text may follow. Every call has an id there.
    """

    role: Role
    content: str | tuple[str | Image, ...]  # the latter where there are images among the text
    calls: tuple[FunctionCall, ...] = ()
    results: tuple[FunctionResult, ...] = ()

    @property
    def parts(self) -> tuple[str | Image, ...]:
        """Return the text and the images in their order."""
        return (self.content,) if isinstance(self.content, str) else self.content

    @property
    def text(self) -> str:
        """Return all that is said, without the images."""
        return "\n".join(part for part in self.parts if isinstance(part, str))

    @property
    def images(self) -> tuple[Image, ...]:
        """Return all that is shown."""
        return tuple(part for part in self.parts if isinstance(part, Image))

    def after(self, text: str) -> "Turn":
        """Return the turn with this text before all that it has."""
        first, *others = self.parts
        begin = (text + first,) if isinstance(first, str) else (text, first)
        content = (*begin, *others)
        return replace(self, content=content if self.images else text + self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How to draw tokens; every value is decided, nothing is left to an engine's defaults."""

    temperature: float
    top_p: float
    top_k: int  # 0: no limit
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    seed: int | None = None  # None: a new one for each request
    stop_sequences: tuple[str, ...] = ()
    output_tokens_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Thinking:
    """How a model that thinks before it answers is to do it."""

    tokens_max: int | None  # 0: not at all; None: as long as it likes
    is_told: bool = False  # whether the client wants to read the thoughts
    end: str = "</think>"  # what the model ends its thoughts with


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPrefix:
    """The beginning of a prompt that other prompts share, worth keeping once it is computed."""

    id: str  # of [a-z0-9]; another prefix has another one
    turns: int  # how many of the prompt's turns it is, from the first
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What an engine is asked."""

    turns: tuple[Turn, ...]
    sampling: Sampling
    candidate_count: int = 1
    structure: Structure | None = None  # None: the answer is free text
    functions: Functions | None = None  # None: the answer has no calls; never beside a structure
    thinking: Thinking | None = None  # None: the model does not think
    top_logprobs: int | None = None  # likeliest tokens of each step; None: not even the chosen
    kept_prefix: KeptPrefix | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLogprob:
    """A token and its log-probability in the model's own distribution, before any sampling."""

    token: str
    token_id: int | None  # None: the engine does not say
    logprob: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodingStep:
    """One token of an answer, and which ones were the likeliest in its place."""

    chosen: TokenLogprob
    likeliest: tuple[TokenLogprob, ...]  # the likeliest first; the chosen may not be among them


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """What an engine answers."""

    completions: tuple[Completion, ...]
    prompt_tokens: int
    cached_tokens: int  # of the prompt tokens, those that were not computed again

    def without_thoughts(self) -> "Generation":
        """Return the same with nobody's thoughts in words; their tokens still count."""
        if not any(completion.thoughts for completion in self.completions):
            return self
        silent = (replace(completion, thoughts="") for completion in self.completions)
        return replace(self, completions=tuple(silent))


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Some text of one candidate, as it comes; never empty."""

    index: int  # of the candidate: they come one after another
    text: str
    prompt_tokens: int
    is_thought: bool = False  # all thoughts of a candidate come before its text
    steps: tuple[DecodingStep, ...] = ()


# Takes a piece; the engine goes on with the answer when it returns, and stops when it raises.
Listener = Callable[[Piece], Awaitable[None]]


class BegunNote:
    """A listener that merely notes that an answer is being made.

    It takes no time, and keeps nothing of what it hears, so that the answer may begin anew.
    """

    def __init__(self, note: Callable[[], None]) -> None:
        self._note = note

    async def __call__(self, piece: Piece) -> None:  # noqa: ARG002  # whatever it says
        self._note()


class EngineDied(Unavailable):
    """The engine went away while it held the request; the request itself may be innocent."""


class Engine(Protocol):
    """One model, loaded in one place, that answers one request per lane at a time.

    A call raises InvalidArgument if the request can never be answered (too long, say),
    EngineDied if the engine went away, and any other TopluError as the request's own
    outcome. A cancelled call stops the work in the engine.
    """

    @property
    def lanes(self) -> int:
        """How many requests run at the same time."""
        ...

    async def generate(
        self, prompt: Prompt, lane: int, listener: Listener | None = None
    ) -> Generation:
        """Answer the prompt on lane `lane`, 0 ≤ lane < lanes; further calls wait their turn.

        A listener hears the answer while it is made. What it hears of a candidate, joined, is
        the candidate's text or the beginning of it; so are its thoughts, and its steps. Calls
        are for the Generation alone.
        """
        ...

    async def count_tokens(
        self, turns: tuple[Turn, ...], functions: Functions | None = None
    ) -> int:
        """Return how many tokens the filled chat template has."""
        ...

    async def count_image_tokens(self, turns: tuple[Turn, ...]) -> int | None:
        """Return how many of these tokens the images make, None if that cannot be told exactly.

        It is asked of turns with images alone, and so of models that see.
        """
        ...

    async def count_prefix(self, prompt: Prompt) -> int:
        """Return how many tokens the prompt has without the invitation to answer it."""
        ...

    async def keep_prefix(self, prompt: Prompt, lane: int) -> None:
        """Compute the prompt's kept prefix on a lane, once; an engine that keeps none need not."""
        ...

    async def forget_prefix(self, prefix_id: str) -> None:
        """Let go of what was kept of a prefix; idempotent."""
        ...

    async def close(self) -> None:
        """Let go of everything; calls in flight fail with EngineDied."""
        ...
