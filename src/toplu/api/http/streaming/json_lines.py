"""JSON lines out, piece by piece, from something that is held open until the last of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from toplu.errors import Cancelled

HTTP_OK = 200
CONTENT_TYPE = "application/jsonl"


class JsonLines(Response):
    """Lines as they are read; their source is closed at the end, or when the client leaves."""

    def __init__(
        self,
        pieces: AsyncIterator[bytes],
        source: AsyncExitStack,
        *,
        headers: dict[str, str],
        stall_seconds_max: float,
    ) -> None:
        self._pieces = pieces
        self._source = source
        self._stall_seconds_max = stall_seconds_max
        self.status_code = HTTP_OK
        self.background = None
        self.init_headers({"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"} | headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # ASGI's signature
        async with self._source:
            try:
                await self._send(
                    send,
                    {"type": "http.response.start", "status": HTTP_OK}
                    | {"headers": self.raw_headers},
                )
                async for piece in self._pieces:
                    await self._send(send, _body(piece, more=True))
                await self._send(send, _body(b"", more=False))
            except Cancelled:
                return  # nobody is there to read an end

    async def _send(self, send: Send, message: dict[str, object]) -> None:
        try:
            async with asyncio.timeout(self._stall_seconds_max):
                await send(message)
        except OSError as error:  # also a timeout
            raise Cancelled("The client takes no more of its answer.") from error


def _body(piece: bytes, *, more: bool) -> dict[str, object]:
    return {"type": "http.response.body", "body": piece, "more_body": more}
