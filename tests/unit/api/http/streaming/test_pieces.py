"""A body piece by piece is read as it is sent, packed only for those who unpack it."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request

from toplu.api.http.streaming.pieces import json_pieces

PIECES = [b'["', b"x" * 100_000, b'"]']


async def pieces() -> AsyncIterator[bytes]:
    for piece in PIECES:
        yield piece


async def answered(accept_encoding: str) -> tuple[dict[bytes, bytes], list[bytes]]:
    scope = {"type": "http", "headers": [(b"accept-encoding", accept_encoding.encode())]}
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("nothing is received")

    response = json_pieces(Request(scope), pieces(), headers=None, stall_seconds_max=60.0)
    await response(scope, receive, send)
    return dict(sent[0]["headers"]), [message["body"] for message in sent[1:]]


async def test_it_is_packed_for_a_client_that_takes_gzip() -> None:
    headers, bodies = await answered("gzip, deflate")
    assert headers[b"content-encoding"] == b"gzip"
    assert gzip.decompress(b"".join(bodies)) == b"".join(PIECES)


async def test_it_is_sent_as_it_is_to_all_others() -> None:
    headers, bodies = await answered("gzip;q=0")
    assert b"content-encoding" not in headers
    assert bodies == [*PIECES, b""]


async def test_a_client_that_takes_nothing_ends_it() -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield b"x"

    async def never(_message: Any) -> None:
        if read:
            await asyncio.Event().wait()

    scope = {"type": "http", "headers": []}
    response = json_pieces(Request(scope), endless(), headers=None, stall_seconds_max=0.01)
    await response(scope, None, never)  # type: ignore[arg-type]  # nothing is received
    assert read == 1
