"""The connection that all clients of a Gemini server share."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import msgspec

from toplu.engines.chat.reply import read_events
from toplu.engines.gemini.refusal import is_doubtful, read_failure, read_refusal
from toplu.engines.gemini.reply import read_chunk, split_lines
from toplu.engines.http.connection import ServerConnection, words_of
from toplu.engines.http.fault import ServerAway
from toplu.errors import TopluError
from toplu.settings.remote import RemoteSettings, ServerSettings
from toplu.wire.gemini.message import FreeForm

KEY_HEADER = "x-goog-api-key"


class ServedModel(msgspec.Struct, frozen=True, rename="camel"):
    """The model as its server describes it."""

    name: str
    supported_generation_methods: list[str] | None = None


class GeminiConnection:
    """One model of one server; the names of its API begin where its url ends, with `/v1beta`."""

    def __init__(self, connection: ServerConnection, model: str, *, method: str) -> None:
        self._connection = connection
        self._method = method  # that the model is to have
        self.model = model if "/" in model else f"models/{model}"

    @classmethod
    def connect(
        cls,
        server: ServerSettings,
        remote: RemoteSettings,
        request_seconds_max: float,
        *,
        method: str,
    ) -> Self:
        """Return the connection; ConfigurationError if the key is not where it ought to be."""
        assert server.model is not None, "the settings have been checked"
        key = server.read_key()
        connection = ServerConnection(
            server,
            remote,
            headers={} if key is None else {KEY_HEADER: key.reveal()},
            key=key,
            request_seconds_max=request_seconds_max,
            read_refusal=read_refusal,
        )
        return cls(connection, server.model, method=method)

    async def check(self) -> None:
        """Return if the server is fit to be asked, or raise ServerFault."""
        found = await self._connection.look_at(f"/{self.model}", ServedModel)
        methods = found.supported_generation_methods
        if methods is not None and self._method not in methods:
            raise ServerAway(f"the server's {self.model} does not serve {self._method}")

    async def ask(self, method: str, body: Any) -> FreeForm:
        """Return what a method of the model answers."""
        async with self._asking():
            answer: FreeForm = await self._connection.ask(
                f"/{self.model}:{method}", body, dict[str, Any]
            )
        return self._told(answer)

    @asynccontextmanager
    async def stream(self, method: str, body: Any) -> AsyncIterator[AsyncIterator[FreeForm]]:
        """Yield what a method answers chunk by chunk."""
        path = f"/{self.model}:{method}?alt=sse"
        async with self._asking(), self._connection.answer_to(path, body) as response:
            events = read_events(split_lines(self._connection.client.pieces(response)))
            yield (self._told(read_chunk(event)) async for event in events)

    async def close(self) -> None:
        """Break off the calls in flight."""
        await self._connection.client.close()

    async def retire(self) -> None:
        """Close as soon as no call is in flight."""
        await self._connection.client.retire()

    def _told(self, answer: FreeForm) -> FreeForm:
        """Return the answer if it is no error."""
        if (error := answer.get("error")) is not None:
            words = self._connection.public(words_of(msgspec.json.encode(error)))
            raise read_failure(error, words)
        return answer

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[None]:
        """Bound the time of a request, and separate its own faults from those of the settings.

        A key or a model that the server does not know looks like a file that it does not give.
        """
        try:
            async with self._connection.deadline():
                yield
        except TopluError as error:
            if is_doubtful(error):
                await self.check()
            raise
