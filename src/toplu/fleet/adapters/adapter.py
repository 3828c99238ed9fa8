"""The contract between work and the engine of its model: how the engine is asked for it.

| adapter                 | the engine is asked in           | and answers in             |
|-------------------------|----------------------------------|----------------------------|
| `fleet.adapters.prompt` | prompts: `engines.engine.Engine` | generations, of text       |
| `fleet.adapters.relay`  | requests of this very API        | responses of this very API |

Everything else of a request's way is the same for both, see `fleet.pool`.
"""

from typing import Any, Protocol, TypeVar

from toplu.fleet.work import Attempt, Work

# An Engine, or a Relay.
AnyEngine_contra = TypeVar("AnyEngine_contra", contravariant=True)


class Adapter(Protocol[AnyEngine_contra]):
    """The way in which the engine of one model is asked."""

    async def read(self, work: Work[Any]) -> Attempt[AnyEngine_contra, Any]:
        """Return what asks an engine for the work, or raise the TopluError that is its outcome.

        The documents of its request are resolved. An attempt may ask the engine more than once.
        """
        ...

    async def forget(self, engine: AnyEngine_contra, cache_id: str) -> None:
        """Have the engine forget what it computed of a cache."""
        ...
