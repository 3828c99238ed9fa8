"""A remote embedder, whichever of its servers makes the vectors."""

from collections.abc import Sequence
from typing import Protocol

from toplu.engines.embedder import Embedder, Embedding
from toplu.fleet.remote.affinity import PromptHead
from toplu.fleet.remote.group import ServerGroup
from toplu.fleet.remote.server import Client
from toplu.wire.gemini.embedding import TaskType


class EmbedderClient(Client, Embedder, Protocol):
    """A client of one server that makes vectors."""


class RemoteEmbedder:
    """The servers of a model as one embedder. A call raises ServerFault where it may go again."""

    def __init__(self, group: ServerGroup[EmbedderClient]) -> None:
        self._group = group

    async def embed(
        self, texts: Sequence[str], tasks: Sequence[TaskType | None] = ()
    ) -> list[Embedding]:
        if not texts:
            return []
        # No two groups have anything in common, so that this merely spreads them.
        async with self._group.call(PromptHead(texts[0])) as call:
            embeddings = await call.client.embed(texts, tasks)
            call.work = sum(embedding.tokens for embedding in embeddings)
        return embeddings

    async def close(self) -> None:
        await self._group.close()
