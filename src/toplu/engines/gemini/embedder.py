"""The client of one server that makes vectors by the Gemini API.

A server counts the tokens of all texts together, if at all. They are shared out by the
length of the texts; where it does not, four characters are one.
"""

import itertools
from collections.abc import Sequence
from typing import Self

import msgspec

from toplu.engines.embedder import Embedding
from toplu.engines.gemini.connection import GeminiConnection
from toplu.engines.http.connection import lost, unreadable
from toplu.engines.http.vectors import shared_out, unit_vector
from toplu.settings.remote import RemoteSettings, ServerSettings
from toplu.wire.gemini.content import Content, Part
from toplu.wire.gemini.embedding import EmbedContentRequest, TaskType

TEXTS_MAX = 100  # of one call, as hosted
CHARACTERS_A_TOKEN = 4


class _Vector(msgspec.Struct):
    values: list[float]


class _Usage(msgspec.Struct, rename="camel"):
    prompt_token_count: int


class _Vectors(msgspec.Struct, rename="camel"):
    """An answer of `:batchEmbedContents`."""

    embeddings: list[_Vector]
    usage_metadata: _Usage | None = None


class GeminiEmbedder:
    """One server and one of its models that embed."""

    def __init__(self, connection: GeminiConnection, *, dimensions: int) -> None:
        self._connection = connection
        self._dimensions = dimensions

    @classmethod
    def connect(
        cls,
        server: ServerSettings,
        remote: RemoteSettings,
        request_seconds_max: float,
        *,
        dimensions: int,
    ) -> Self:
        """Return the client; ConfigurationError if the key is not where the settings have it."""
        connection = GeminiConnection.connect(
            server, remote, request_seconds_max, method="embedContent"
        )
        return cls(connection, dimensions=dimensions)

    async def check(self) -> None:
        """Return if the server is fit to be asked, or raise ServerFault."""
        await self._connection.check()

    async def load(self) -> None:
        """Return nothing: the API has no such figures."""

    async def embed(
        self, texts: Sequence[str], tasks: Sequence[TaskType | None] = ()
    ) -> list[Embedding]:
        embeddings: list[Embedding] = []
        asked = itertools.zip_longest(texts, tasks)
        while some := list(itertools.islice(asked, TEXTS_MAX)):
            embeddings += await self._embed_some(some)
        return embeddings

    async def close(self) -> None:
        await self._connection.close()

    async def retire(self) -> None:
        """Close as soon as no call is in flight."""
        await self._connection.retire()

    async def _embed_some(self, asked: Sequence[tuple[str, TaskType | None]]) -> list[Embedding]:
        requests = [
            EmbedContentRequest(
                model=self._connection.model,
                content=Content(parts=[Part(text=text)]),
                task_type=task,
                output_dimensionality=self._dimensions,
            )
            for text, task in asked
        ]
        answer = await self._connection.ask("batchEmbedContents", {"requests": requests})
        try:
            vectors = msgspec.convert(answer, _Vectors)
        except msgspec.ValidationError as error:
            raise unreadable(error) from error
        if len(vectors.embeddings) != len(asked):
            raise lost(
                f"the server returned {len(vectors.embeddings)} vectors of {len(asked)} texts"
            )
        lengths = [len(text) for text, _ in asked]
        tokens = (
            [1 + length // CHARACTERS_A_TOKEN for length in lengths]
            if vectors.usage_metadata is None
            else shared_out(vectors.usage_metadata.prompt_token_count, lengths)
        )
        return [
            Embedding(
                values=unit_vector(vector.values, self._dimensions), tokens=read, was_cut=False
            )
            for vector, read in zip(vectors.embeddings, tokens, strict=True)
        ]
