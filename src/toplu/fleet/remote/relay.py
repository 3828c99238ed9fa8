"""Servers that speak this very API as one engine, whichever of them answers."""

from typing import Protocol

from toplu.engines.relay import Relay, RelayedRequest, RelayListener
from toplu.fleet.remote.affinity import PromptHead, head_of_request
from toplu.fleet.remote.engine import READ_COST
from toplu.fleet.remote.group import ServerGroup
from toplu.fleet.remote.server import Client
from toplu.wire.gemini.message import FreeForm
from toplu.wire.gemini.token_usage import usage_of


class RelayClient(Client, Relay, Protocol):
    """A client of one server that is asked in requests."""


class RemoteRelay:
    """The servers of a model as one relay. A call raises ServerFault where it may go again."""

    def __init__(self, group: ServerGroup[RelayClient]) -> None:
        self._group = group

    async def generate(self, asked: RelayedRequest) -> FreeForm:
        async with self._group.call(head_of_request(asked.request)) as call:
            response = await call.client.generate(asked)
            usage = usage_of(response)
            read = usage.prompt_tokens - usage.cached_tokens
            call.work = usage.output_tokens + READ_COST * read
        return response

    async def stream(self, asked: RelayedRequest, listener: RelayListener) -> None:
        async with self._group.call(head_of_request(asked.request)) as call:
            # A client that is slow to listen says nothing of the server, so it is no work.
            await call.client.stream(asked, listener)

    async def count_tokens(self, asked: RelayedRequest) -> FreeForm:
        async with self._group.call(PromptHead("")) as call:
            return await call.client.count_tokens(asked)

    async def close(self) -> None:
        await self._group.close()
