"""The contract between a request and servers that speak this very API.

Such a server is asked in requests, and what it answers goes to the client as it came: whatever it
can do works without being known here.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from toplu.errors import InvalidArgument
from toplu.wire.gemini.content import GenerateContentRequest
from toplu.wire.gemini.message import FreeForm

# Takes a chunk of a response; the server goes on when it returns.
RelayListener = Callable[[FreeForm], Awaitable[None]]


class Relay(Protocol):
    """An engine that is asked in requests and answers in responses.

    A call raises ServerFault where another try may succeed, and any other TopluError as the
    request's own outcome. A cancelled call stops the work at the server.
    """

    async def generate(self, asked: "RelayedRequest") -> FreeForm:
        """Return the response."""
        ...

    async def stream(self, asked: "RelayedRequest", listener: RelayListener) -> None:
        """Tell every chunk of the response."""
        ...

    async def count_tokens(self, asked: "RelayedRequest") -> FreeForm:
        """Return how long the prompt is, in the form of a response."""
        ...

    async def close(self) -> None:
        """Break off the calls in flight."""
        ...


class RelayedRequest:
    """A request as it travels; each server gets its own name of the model."""

    def __init__(self, request: GenerateContentRequest) -> None:
        self.request = msgspec.structs.replace(request, model=None, cached_content=None)
        self.body = _written(self.request)


def _written(request: GenerateContentRequest) -> msgspec.Raw:
    try:
        return msgspec.Raw(msgspec.json.encode(request))
    except UnicodeEncodeError as error:
        raise InvalidArgument(
            "* GenerateContentRequest: a text has half a surrogate pair\n"
        ) from error
