"""The contract between a request and the engine of its model: what the engine is asked.

| adapter               | the engine is asked in             | and answers in             |
|----------------------|------------------------------------|----------------------------|
| `fleet.adapters.prompt`    | prompts: `engines.engine.Engine`   | generations, of text       |
| `fleet.adapters.relay`     | requests of this very API          | responses of this very API |

Everything else of a request's way is the same for both, see `fleet.pool`.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from toplu.engines.translation.cached_prefix import CachedPrefix
from toplu.fleet.attempts.attempts import Work
from toplu.wire.gemini.content import GenerateContentRequest
from toplu.wire.gemini.message import Response

# An Engine, or a Relay.
AnyEngine_contra = TypeVar("AnyEngine_contra", contravariant=True)
ChunkListener = Callable[[Response], Awaitable[None]]


class Adapter(Protocol[AnyEngine_contra]):
    """How the engine of one model is asked.

    Each call reads a request whose documents are resolved and returns the work that asks for it, or
    raises the TopluError that is the request's own outcome. Work may be done again.
    """

    async def answering(
        self,
        request: GenerateContentRequest,
        cached: CachedPrefix | None,
        begun: Callable[[], None] | None,
    ) -> Work[AnyEngine_contra, Response]:
        """Return what answers the request; `begun` is called with each piece of the answer."""
        ...

    async def streaming(
        self, request: GenerateContentRequest, cached: CachedPrefix | None, listener: ChunkListener
    ) -> Work[AnyEngine_contra, Response | None]:
        """Return what tells the answer chunk by chunk, and returns what is left to be told."""
        ...

    def counting(
        self, request: GenerateContentRequest, cached: CachedPrefix | None
    ) -> Work[AnyEngine_contra, Response]:
        """Return what finds out how long the request's prompt is."""
        ...

    def measuring(self, request: GenerateContentRequest) -> Work[AnyEngine_contra, int]:
        """Return what counts the tokens of contents that stand before other requests."""
        ...

    def cached(self, cache_id: str, request: GenerateContentRequest, tokens: int) -> CachedPrefix:
        """Return what a cache of these contents puts before other requests."""
        ...

    def warming(self, cached: CachedPrefix) -> Work[AnyEngine_contra, None]:
        """Return what has the engine compute what is cached, if it can keep it."""
        ...

    async def forget(self, engine: AnyEngine_contra, cache_id: str) -> None:
        """Let the engine forget what it computed of a cache."""
        ...
