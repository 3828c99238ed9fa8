"""The client of one server that makes vectors by OpenAI's API.

A server counts the tokens of all texts together. They are shared out by the length of
the texts, so that their sum is its count.
"""

import binascii
import sys
from array import array
from collections.abc import Sequence
from typing import Self

import msgspec

from toplu.engines.embedder import Embedding
from toplu.engines.http.connection import ServerConnection, lost
from toplu.engines.http.context_overflow import read_overlength
from toplu.engines.http.load import LoadReader, ServerLoad
from toplu.engines.http.vectors import shared_out, unit_vector
from toplu.engines.openai.connection import NamedModel, connect_openai
from toplu.errors import Internal, InvalidArgument
from toplu.settings.remote import RemoteSettings, ServerSettings
from toplu.wire.gemini.embedding import TaskType


class Vector(msgspec.Struct, frozen=True):
    """One of the vectors of an answer."""

    embedding: str | list[float]  # base64 of single-precision numbers, the lowest byte first
    index: int | None = None


class EmbeddingUsage(msgspec.Struct, frozen=True):
    """The tokens that were read, of all texts."""

    prompt_tokens: int


class Vectors(msgspec.Struct, frozen=True):
    """An answer of `/embeddings`."""

    data: list[Vector]
    usage: EmbeddingUsage | None = None


class OpenaiEmbedder:
    """One server and one of its models; all texts of a call go in one request."""

    def __init__(
        self, connection: ServerConnection, server: ServerSettings, *, dimensions: int
    ) -> None:
        self._connection = connection
        self._model = NamedModel(connection, server.model)
        self._dimensions = dimensions
        self._load = LoadReader(connection)

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
        connection = connect_openai(server, remote, request_seconds_max)
        return cls(connection, server, dimensions=dimensions)

    async def check(self) -> None:
        """Return if the server is fit to be asked, or raise ServerFault."""
        await self._model.check()

    async def load(self) -> ServerLoad | None:
        """Return the server's own figures, None if it has none."""
        return await self._load.read()

    async def embed(
        self,
        texts: Sequence[str],
        tasks: Sequence[TaskType | None] = (),  # noqa: ARG002  # one space for all of them
    ) -> list[Embedding]:
        async with self._connection.deadline():
            body = {
                "model": await self._model.name(),
                "input": list(texts),
                "encoding_format": "base64",  # a server that does not know it sends numbers
            }
            try:
                answer = await self._connection.ask("/embeddings", body, Vectors)
            except InvalidArgument as refusal:
                overlength = read_overlength(refusal.message)
                if overlength is None:
                    raise
                raise InvalidArgument(
                    overlength.message_for(overlength.context_tokens)
                ) from refusal
        if answer.usage is None:
            raise Internal("The model's server does not say how many tokens it read.")
        vectors = [
            unit_vector(_numbers_of(vector.embedding), self._dimensions)
            for vector in _in_order(answer.data, len(texts))
        ]
        tokens = shared_out(answer.usage.prompt_tokens, [len(text) for text in texts])
        return [
            Embedding(values=values, tokens=read, was_cut=False)
            for values, read in zip(vectors, tokens, strict=True)
        ]

    async def close(self) -> None:
        await self._connection.client.close()

    async def retire(self) -> None:
        """Close as soon as no call is in flight."""
        await self._connection.client.retire()


def _in_order(vectors: Sequence[Vector], count: int) -> list[Vector]:
    """Return the vectors in the order of their texts, or raise AnswerLost."""
    if len(vectors) != count:
        raise lost(f"the server returned {len(vectors)} vectors of {count} texts")
    by_index = {
        place if vector.index is None else vector.index: vector
        for place, vector in enumerate(vectors)
    }
    if by_index.keys() != set(range(count)):
        raise lost("the server did not return one vector for each text")
    return [by_index[index] for index in range(count)]


def _numbers_of(embedding: str | list[float]) -> Sequence[float]:
    if isinstance(embedding, list):
        return embedding
    numbers = array("f")
    try:
        numbers.frombytes(binascii.a2b_base64(embedding, strict_mode=True))
    except ValueError as error:
        raise lost(f"the server returned something else than a vector: {error}") from error
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
