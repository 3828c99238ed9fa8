"""The client of one server that speaks the Gemini API: another toplu, or Google's own service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import msgspec

from toplu.engines.chat_reply import read_events
from toplu.engines.gemini_refusal import is_doubtful, read_failure, read_refusal
from toplu.engines.gemini_reply import (
    check_chunk,
    check_count,
    check_response,
    ends,
    read_chunk,
    split_lines,
)
from toplu.engines.relay import RelayedRequest, RelayListener
from toplu.engines.server_connection import ServerConnection, lost, words_of
from toplu.engines.server_fault import ServerAway
from toplu.errors import TopluError
from toplu.gemini.message import FreeForm
from toplu.remote_settings import RemoteSettings, ServerSettings

KEY_HEADER = "x-goog-api-key"


class ServedModel(msgspec.Struct, frozen=True, rename="camel"):
    """The model as its server describes it."""

    name: str
    supported_generation_methods: list[str] | None = None


class GeminiServer:
    """One server; the names of its API begin where its url ends, with `/v1beta`."""

    def __init__(
        self, connection: ServerConnection, server: ServerSettings, remote: RemoteSettings
    ) -> None:
        assert server.model is not None, "the settings have been checked"
        self._connection = connection
        self._remote = remote
        self._model = server.model if "/" in server.model else f"models/{server.model}"

    @classmethod
    def connect(
        cls, server: ServerSettings, remote: RemoteSettings, request_seconds_max: float
    ) -> Self:
        """Return the client; ConfigurationError if the key is not where it is said to be."""
        key = server.read_key()
        connection = ServerConnection(
            server,
            remote,
            headers={} if key is None else {KEY_HEADER: key.reveal()},
            key=key,
            request_seconds_max=request_seconds_max,
            read_refusal=read_refusal,
        )
        return cls(connection, server, remote)

    @property
    def lanes(self) -> int:
        return self._remote.requests_max

    async def check(self) -> None:
        """Return if the server is fit to be asked, or raise ServerFault."""
        await self._check("generateContent")

    async def generate(self, asked: RelayedRequest) -> FreeForm:
        """Return the response as the server gave it."""
        response = await self._ask("generateContent", asked.body)
        check_response(response)
        return response

    async def stream(self, asked: RelayedRequest, listener: RelayListener) -> None:
        """Tell every chunk as the server gave it, while it makes the next one."""
        path = f"/{self._model}:streamGenerateContent?alt=sse"
        is_whole = False
        async with self._asking(), self._connection.answer_to(path, asked.body) as response:
            pieces = self._connection.client.pieces(response)
            async for event in read_events(split_lines(pieces)):
                chunk = self._told(read_chunk(event))
                check_chunk(chunk)
                is_whole = is_whole or ends(chunk)
                await listener(chunk)
            if not is_whole:
                raise lost("the server broke off in the middle of its answer", overloaded=True)

    async def count_tokens(self, asked: RelayedRequest) -> FreeForm:
        """Return the count as the server gave it."""
        request = msgspec.structs.replace(asked.request, model=self._model)
        count = await self._ask("countTokens", {"generateContentRequest": request})
        check_count(count)
        return count

    async def close(self) -> None:
        await self._connection.client.close()

    async def retire(self) -> None:
        """Close as soon as no call is in flight."""
        await self._connection.client.retire()

    async def _ask(self, method: str, body: Any) -> FreeForm:
        async with self._asking():
            answer: FreeForm = await self._connection.ask(
                f"/{self._model}:{method}", body, dict[str, Any]
            )
        return self._told(answer)

    def _told(self, answer: FreeForm) -> FreeForm:
        """Return the answer if it is no error."""
        if (error := answer.get("error")) is not None:
            words = self._connection.shown(words_of(msgspec.json.encode(error)))
            raise read_failure(error, words)
        return answer

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[None]:
        """Bound the time of a request, and tell its own faults from those of the settings.

        A key or a model that the server does not know looks like a file that it does not give.
        """
        try:
            async with self._connection.deadline():
                yield
        except TopluError as error:
            if is_doubtful(error):
                await self.check()
            raise

    async def _check(self, method: str) -> None:
        model = await self._connection.look_at(f"/{self._model}", ServedModel)
        methods = model.supported_generation_methods
        if methods is not None and method not in methods:
            raise ServerAway(f"the server's {self._model} does not serve {method}")
