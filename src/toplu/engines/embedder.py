"""The contract between a text and whatever makes a vector of it.

A request travels decode → embed → encode: `engines.translation.embedding_request` makes an
EmbeddingQuery of an EmbedContentRequest, an Embedder makes an Embedding of its text, and
`engines.translation.embedding_answer` makes the EmbedContentResponse. Only the second step differs
between engines. An engine that died raises `engines.engine.EngineDied`, as a text engine does, and
a remote one `engines.http.fault.ServerFault` where the group may go again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from toplu.wire.gemini.embedding import TaskType


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedding:
    """A text as a vector of length one."""

    values: Sequence[float]
    tokens: int  # that the model read, its own marks at both ends among them
    was_cut: bool  # the text has more tokens than the model reads


class Embedder(Protocol):
    """One embedding model, loaded in one place.

    The vector of a text does not depend on the texts beside it. A call raises EngineDied if the
    engine went away, and any other TopluError if the group as a whole cannot be answered.
    """

    async def embed(
        self, texts: Sequence[str], tasks: Sequence[TaskType | None] = ()
    ) -> list[Embedding]:
        """Return an embedding for each text, in their order; calls may overlap.

        `tasks` says what each vector is for, to a model that has a space for each task; nothing
        if no text has one.
        """
        ...

    async def close(self) -> None:
        """Let go of everything; calls in flight fail with EngineDied."""
        ...
