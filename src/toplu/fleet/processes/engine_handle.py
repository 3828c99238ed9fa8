"""The contract between a supervisor and one life of an engine."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

# An Engine, which makes text, or an Embedder.
AnyEngine = TypeVar("AnyEngine")
AnyEngine_co = TypeVar("AnyEngine_co", covariant=True)


class Closable(Protocol):
    """The part that every engine has in common."""

    async def close(self) -> None:
        """Let go of everything; calls in flight fail with EngineDied."""
        ...


ClosableEngine = TypeVar("ClosableEngine", bound=Closable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """The end of an engine."""

    exit_code: int | None  # None: it was no process; negative: the signal that killed it
    last_words: str  # the end of what it wrote to its standard error
    reason: str = "The engine died."  # for people


class EngineStartFailed(Exception):
    """An engine did not come up; the message says why, for the operator."""


class EngineHandle(Protocol[AnyEngine_co]):
    """One life of an engine, from ready to dead."""

    @property
    def engine(self) -> AnyEngine_co: ...

    @property
    def pid(self) -> int | None: ...

    async def wait_for_death(self) -> Death:
        """Return when the engine is dead, and not before."""
        ...

    def kill(self) -> None:
        """Bring it down at once; harmless when it is dead."""
        ...

    async def stop(self) -> None:
        """Let it end, by force after a bounded time; leaves no process behind."""
        ...


# Starts the engine and returns when it is ready, or raises.
Launch = Callable[[], Awaitable[EngineHandle[AnyEngine]]]
