"""The client of one server that speaks the Gemini API: another toplu, or Google's own service."""

from typing import Self

import msgspec

from toplu.engines.gemini.connection import GeminiConnection
from toplu.engines.gemini.reply import check_chunk, check_count, check_response, ends
from toplu.engines.http.connection import lost
from toplu.engines.relay import RelayedRequest, RelayListener
from toplu.settings.remote import RemoteSettings, ServerSettings
from toplu.wire.gemini.message import FreeForm


class GeminiRelay:
    """One server and one of its models that generate."""

    def __init__(self, connection: GeminiConnection) -> None:
        self._connection = connection

    @classmethod
    def connect(
        cls, server: ServerSettings, remote: RemoteSettings, request_seconds_max: float
    ) -> Self:
        """Return the client; ConfigurationError if the key is not where the settings have it."""
        method = "generateContent"
        return cls(GeminiConnection.connect(server, remote, request_seconds_max, method=method))

    async def check(self) -> None:
        """Return if the server is fit to be asked, or raise ServerFault."""
        await self._connection.check()

    async def load(self) -> None:
        """Return nothing: the API has no such figures."""

    async def generate(self, asked: RelayedRequest) -> FreeForm:
        """Return the response as the server gave it."""
        response = await self._connection.ask("generateContent", asked.body)
        check_response(response)
        return response

    async def stream(self, asked: RelayedRequest, listener: RelayListener) -> None:
        """Tell every chunk as the server gave it, while it makes the next one."""
        is_whole = False
        async with self._connection.stream("streamGenerateContent", asked.body) as chunks:
            async for chunk in chunks:
                check_chunk(chunk)
                is_whole = is_whole or ends(chunk)
                await listener(chunk)
            if not is_whole:
                raise lost("the server broke off in the middle of its answer", overloaded=True)

    async def count_tokens(self, asked: RelayedRequest) -> FreeForm:
        """Return the count as the server gave it."""
        request = msgspec.structs.replace(asked.request, model=self._connection.model)
        count = await self._connection.ask("countTokens", {"generateContentRequest": request})
        check_count(count)
        return count

    async def close(self) -> None:
        await self._connection.close()

    async def retire(self) -> None:
        """Close as soon as no call is in flight."""
        await self._connection.retire()
