"""The work that a model is asked for: one value for each request, one class for each kind.

| work          | an engine gives                           | needs a lane |
|---------------|-------------------------------------------|--------------|
| `Answer`      | a response                                | yes          |
| `Stream`      | a response in chunks                      | yes          |
| `CountTokens` | the length of a prompt                    | no           |
| `CountPrefix` | the length of contents before a prompt    | no           |
| `KeepPrefix`  | nothing; it computes contents and keeps them | yes       |
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import ClassVar, Generic, Self, TypeVar

import msgspec

from toplu.engines.translation.cached_prefix import CachedPrefix
from toplu.money import Kind, Usage
from toplu.settings.model import ModelSettings
from toplu.wire.gemini.content import GenerateContentRequest, ServiceTier
from toplu.wire.gemini.message import Response
from toplu.wire.gemini.token_usage import usage_of

T = TypeVar("T")
AnyEngine = TypeVar("AnyEngine")

# Reads the documents and images that a request to the model carries or names.
Resolve = Callable[[GenerateContentRequest, ModelSettings], Awaitable[GenerateContentRequest]]
ChunkListener = Callable[[Response], Awaitable[None]]

# One attempt at some work, on a lane of a ready engine; it can be made again.
Attempt = Callable[[AnyEngine, int], Awaitable[T]]


class Tier(Enum):
    """Whether a request waits for others, the most patient first."""

    BATCH = 0  # as long as it takes
    FLEX = 1  # a call at the place of a batch
    STANDARD = 2  # a call, which preempts these
    PRIORITY = 3  # a call that goes before all that wait

    @classmethod
    def of_call(cls, asked: ServiceTier | None) -> "Tier":
        """Return the tier of a call that asks for one, or for none."""
        return cls.STANDARD if asked is None else _OF_CALLS.get(asked, cls.STANDARD)

    @property
    def is_interactive(self) -> bool:
        """Whether nothing of a batch is to hold it up."""
        return self in (Tier.STANDARD, Tier.PRIORITY)

    @property
    def spelled(self) -> str:
        """The tier of a call as the Gemini API spells it."""
        return self.name.lower()

    @property
    def kind(self) -> Kind:
        """The kind of call by which it is paid."""
        return _KINDS.get(self, Kind.INTERACTIVE)


_OF_CALLS = {ServiceTier.FLEX: Tier.FLEX, ServiceTier.PRIORITY: Tier.PRIORITY}
_KINDS = {Tier.BATCH: Kind.BATCH, Tier.FLEX: Kind.FLEX}


@dataclass(kw_only=True, eq=False)
class Work(Generic[T]):
    """A request on its way through one model; what comes of it is a T."""

    request: GenerateContentRequest
    resolve: Resolve | None = None  # None: it has no documents, or they are read
    cached: CachedPrefix | None = None  # stands before the request
    tier: Tier = Tier.STANDARD
    project: str | None = None  # whose request it is
    label: str | None = None  # names the request in the log
    lane: int | None = None  # None: the emptiest

    takes_lane: ClassVar[bool] = True

    @property
    def may_repeat(self) -> bool:
        """Whether a further attempt may replace one that failed."""
        return True


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """The response to one request, and what it used: its price is not that of all its usage."""

    response: Response
    usage: Usage  # as the response has it, with what of it was discarded
    shortened: bool = False  # an answer of it was ended to keep within its tokens

    @classmethod
    def of(
        cls, response: Response, *, discarded: Usage | None = None, shortened: bool = False
    ) -> Self:
        """Return the response with its usage; attempts before it may have been discarded."""
        usage = usage_of(response)
        return cls(
            response=response,
            usage=usage.discarding(discarded) if discarded else usage,
            shortened=shortened,
        )


@dataclass(kw_only=True, eq=False)
class Answer(Work[Answered]):
    """A response in one; `begun` is called with each piece of it that the engine makes."""

    begun: Callable[[], None] | None = None


@dataclass(kw_only=True, eq=False)
class Stream(Work[Response | None]):
    """A response in chunks; the engine waits while the listener takes one.

    The last chunk is what comes of the work, if the listener has not had it.
    """

    listener: ChunkListener
    _has_begun: bool = field(default=False, init=False)

    async def send(self, chunk: Response) -> None:
        """Give the listener a chunk; it cannot be taken back."""
        self._has_begun = True
        await self.listener(chunk)

    @property
    def may_repeat(self) -> bool:
        # Another engine would not go on in the same words.
        return not self._has_begun


@dataclass(kw_only=True, eq=False)
class CountTokens(Work[Response]):
    """The length of the request's prompt: its conversation and its functions."""

    takes_lane: ClassVar[bool] = False


@dataclass(kw_only=True, eq=False)
class CountPrefix(Work[int]):
    """The tokens of contents that are to stand before other requests."""

    takes_lane: ClassVar[bool] = False


@dataclass(kw_only=True, eq=False)
class KeepPrefix(Work[None]):
    """The computing of what is cached, which the engine keeps if it can."""

    cached: CachedPrefix
