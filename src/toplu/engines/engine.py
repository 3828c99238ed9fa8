"""The contract between a request and the engine that answers it.

A request travels decode → prompt → generate → encode: `engines.translation.prompt` makes a Prompt
of a GenerateContentRequest, an Engine makes a Generation of a Prompt, `engines.translation.answer`
makes the GenerateContentResponse. Only the third step differs between engines.
"""

from typing import Protocol

from toplu.engines.calls import Functions
from toplu.engines.generation import Generation, Listener
from toplu.engines.prompt import Prompt, Turn
from toplu.errors import Unavailable


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
        """The number of requests that run at the same time."""
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
        """Return how many of these tokens the images make, None if that is not known exactly.

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
