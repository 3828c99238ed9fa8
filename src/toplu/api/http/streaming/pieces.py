"""A body piece by piece, from something that is held open until the last of them.

    pieces ──▶ gzip, where it is taken ──▶ connection, which says when it takes the next

No more than a piece is in memory, whatever the size of the body.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from toplu.api.http.responses import CONTENT_TYPE, takes_gzip
from toplu.errors import Cancelled

HTTP_OK = 200
GZIP_LEVEL = 1
GZIP_FORMAT = 16 + zlib.MAX_WBITS  # else zlib would write a format of its own


class Pieces(Response):
    """Pieces as they are read; their source is closed at the end, or when the client leaves."""

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
        self.init_headers(headers)

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


def json_lines(
    pieces: AsyncIterator[bytes],
    source: AsyncExitStack,
    *,
    headers: dict[str, str],
    stall_seconds_max: float,
) -> Pieces:
    """Return a body of lines of JSON."""
    headers = {"Content-Type": "application/jsonl", "Cache-Control": "no-store"} | headers
    return Pieces(pieces, source, headers=headers, stall_seconds_max=stall_seconds_max)


def json_pieces(
    request: Request,
    pieces: AsyncIterator[bytes],
    *,
    headers: dict[str, str] | None,
    stall_seconds_max: float,
) -> Pieces:
    """Return a body of one JSON value, gzipped if the client takes it."""
    headers = {"Content-Type": CONTENT_TYPE, "Vary": "Accept-Encoding"} | (headers or {})
    if takes_gzip(request):
        headers["Content-Encoding"] = "gzip"
        pieces = _gzipped(pieces)
    return Pieces(pieces, AsyncExitStack(), headers=headers, stall_seconds_max=stall_seconds_max)


async def _gzipped(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    gzip = zlib.compressobj(GZIP_LEVEL, wbits=GZIP_FORMAT)
    async for piece in pieces:
        if packed := await asyncio.to_thread(gzip.compress, piece):
            yield packed
    yield gzip.flush()


def _body(piece: bytes, *, more: bool) -> dict[str, object]:
    return {"type": "http.response.body", "body": piece, "more_body": more}
