"""The prompt that an engine is asked: a conversation, and how to go on with it."""

from dataclasses import dataclass, field
from typing import Literal

import msgspec
from msgspec.structs import replace

from toplu.engines.calls import FunctionCall, FunctionResult, Functions
from toplu.structured.structure import Structure

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A picture as engines that see are given it: a file of bounded size that was written here."""

    media_type: str  # image/png or image/jpeg
    width: int
    height: int
    data: bytes = field(repr=False)


class Turn(msgspec.Struct, frozen=True):
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
        """Return all texts, without the images."""
        return "\n".join(part for part in self.parts if isinstance(part, str))

    @property
    def images(self) -> tuple[Image, ...]:
        """Return all images."""
        if isinstance(self.content, str):
            return ()
        return tuple(part for part in self.parts if isinstance(part, Image))

    def after(self, text: str) -> "Turn":
        """Return the turn with this text before all that it has."""
        first, *others = self.parts
        begin = (text + first,) if isinstance(first, str) else (text, first)
        content = (*begin, *others)
        return replace(self, content=content if self.images else text + self.text)


class Sampling(msgspec.Struct, frozen=True, kw_only=True):
    """The rules for drawing tokens; nothing is left to an engine's defaults."""

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
    """The rules for a model that thinks before it answers."""

    tokens_max: int | None  # 0: not at all; None: as long as it likes
    is_told: bool = False  # whether the client wants to read the thoughts
    end: str = "</think>"  # what the model ends its thoughts with


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPrefix:
    """The beginning of a prompt that other prompts share, worth keeping once it is computed."""

    id: str  # of [a-z0-9]; another prefix has another one
    turns: int  # how many of the prompt's turns it is, from the first
    tokens: int


class Prompt(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation, how to draw the tokens of its answer, and the form that holds it."""

    turns: tuple[Turn, ...]
    sampling: Sampling
    candidate_count: int = 1
    structure: Structure | None = None  # None: the answer is free text
    functions: Functions | None = None  # None: the answer has no calls; never beside a structure
    thinking: Thinking | None = None  # None: the model does not think
    top_logprobs: int | None = None  # likeliest tokens of each step; None: not even the chosen
    kept_prefix: KeptPrefix | None = None
    attempt: int = 1  # of those that its form may take: the ones before broke it
    # For servers that several share: whose it is, and whether somebody waits for the answer.
    project: str | None = None
    is_urgent: bool = True
