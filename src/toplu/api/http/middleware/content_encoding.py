"""Decodes bodies that clients compressed (`Content-Encoding`), piece by piece as they arrive.

    receive ──▶ encoded pieces ──▶ decoder (gzip or deflate) ──▶ pieces of 64 KiB ──▶ handler

The handler's own limit holds for the bytes that come out, so a small body that would grow large is
refused as soon as it has grown too long, and never lies in memory as a whole. Codings are those of
RFC 9110, 8.4.1; any other is answered with 415 that names it.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from toplu.errors import InvalidArgument, Unimplemented, UnsupportedEncoding
from toplu.settings.bounds import KIB, MIB

PIECE_BYTES = 64 * KIB
# One on another, as `gzip, deflate`: more is nobody's habit.
CODINGS_MAX = 2
# A body may be longer encoded than decoded, but not without an end: empty blocks decode to nothing.
OVERHEAD_BYTES_MAX = MIB
GZIP = frozenset({"gzip", "x-gzip"})
DECODED = GZIP | {"deflate"}
GZIP_WINDOW = 16 + zlib.MAX_WBITS
RAW_DEFLATE_WINDOW = -zlib.MAX_WBITS
ZLIB_HEADER_BYTES = 2
ZLIB_METHOD = 8
ZLIB_CHECK = 31


class DecodedBodies:
    """Middleware that gives handlers the body as it was before it was compressed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (body := _encoded_body(scope, receive)) is not None:
            headers = MutableHeaders(raw=list(scope["headers"]))
            # They are of the encoded body; how long the decoded one is, nobody knows yet.
            del headers["content-length"], headers["content-encoding"]
            scope, receive = {**scope, "headers": headers.raw}, body.receive
        await self._app(scope, receive, send)


def _encoded_body(scope: Scope, receive: Receive) -> "DecodedBody | None":
    headers = Headers(scope=scope)
    codings = _listed(headers, "content-encoding")
    transfer = _listed(headers, "transfer-encoding")
    if transfer not in ([], ["chunked"]):
        refusal = Unimplemented(
            f'Transfer-Encoding "{", ".join(transfer)}" is not served: use chunked alone.'
        )
        return DecodedBody(_refused(refusal), receive)
    codings = [coding for coding in codings if coding != "identity"]
    if not codings:
        return None
    if len(codings) > CODINGS_MAX or not DECODED.issuperset(codings):
        return DecodedBody(_refused(_unsupported(codings)), receive)
    pieces = _pieces_of(receive)
    for coding in reversed(codings):
        pieces = _decoded(coding, pieces)
    return DecodedBody(pieces, receive)


def _listed(headers: Headers, name: str) -> list[str]:
    values = ",".join(headers.getlist(name)).lower().split(",")
    return [value.strip() for value in values if value.strip()]


def _unsupported(codings: list[str]) -> UnsupportedEncoding:
    named = ", ".join(codings)
    if len(codings) > CODINGS_MAX:
        return UnsupportedEncoding(
            f'Content-Encoding "{named}" has {len(codings)} codings; at most {CODINGS_MAX} are '
            "decoded."
        )
    return UnsupportedEncoding(
        f'Content-Encoding "{named}" is not supported: send the body without one, or encoded with '
        "gzip or deflate."
    )


class DecodedBody:
    """The decoded pieces as ASGI messages; behind the last one, the server's own."""

    def __init__(self, pieces: AsyncIterator[bytes], receive: Receive) -> None:
        self._pieces = pieces
        self._receive = receive
        self._ended = False

    async def receive(self) -> Message:
        """Return the next piece, or the message that the client went away."""
        if self._ended:
            return await self._receive()
        try:
            piece = await anext(self._pieces)
        except StopAsyncIteration:
            self._ended = True
            return {"type": "http.request", "body": b"", "more_body": False}
        except ClientDisconnect:
            self._ended = True
            return {"type": "http.disconnect"}
        except BaseException:
            self._ended = True
            raise
        return {"type": "http.request", "body": piece, "more_body": True}


async def _refused(error: Exception) -> AsyncIterator[bytes]:
    raise error
    yield b""  # makes this a generator: it raises where the body would be read


async def _pieces_of(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        more = message.get("more_body", False)
        if body := message.get("body", b""):
            yield body


async def _decoded(coding: str, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    decoder = Decoder(coding)
    async for encoded in pieces:
        for piece in decoder.decode(encoded):
            yield piece
            # A handler that only gathers would keep everybody waiting until the end.
            await asyncio.sleep(0)
    decoder.finish()


class Decoder:
    """Decodes one coding, in pieces of `PIECE_BYTES` at most; raises InvalidArgument."""

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._inflater: zlib._Decompress | None = None
        self._begun = b""  # of a member, too short to know how it is encoded
        self._members = 0  # ended ones: gzip allows many, one after the other
        self._encoded_bytes = 0
        self._decoded_bytes = 0

    def decode(self, data: bytes) -> Iterator[bytes]:
        """Yield what the next encoded bytes decode to."""
        self._encoded_bytes += len(data)
        while data := self._open_member(data):
            try:
                for piece in self._inflate(data):
                    self._decoded_bytes += len(piece)
                    yield piece
            except zlib.error as error:
                raise InvalidArgument(f"The body is not valid {self._coding}: {error}") from error
            data = self._close_member()
            self._check_overhead()
        self._check_overhead()

    def finish(self) -> None:
        """Raise unless the body ended where its encoding says; an empty body is an empty one."""
        if self._inflater is not None or self._begun:
            raise InvalidArgument(f"The body is not valid {self._coding}: it ends too early.")

    def _open_member(self, data: bytes) -> bytes:
        """Return the bytes to inflate, with an inflater for them; none if more are needed."""
        if self._inflater is not None:
            return data
        if self._coding in GZIP:
            # Tapes and block devices leave zeros behind the last member, which gzip skips as well.
            data = data.lstrip(b"\0") if self._members else data
            self._inflater = zlib.decompressobj(GZIP_WINDOW) if data else None
            return data
        if self._members and data:
            raise InvalidArgument("The body is not valid deflate: bytes follow its end.")
        data = self._begun + data
        self._begun = b"" if len(data) >= ZLIB_HEADER_BYTES else data
        if self._begun:
            return b""
        if data:
            window = zlib.MAX_WBITS if _is_zlib(data) else RAW_DEFLATE_WINDOW
            self._inflater = zlib.decompressobj(window)
        return data

    def _inflate(self, data: bytes) -> Iterator[bytes]:
        assert self._inflater is not None, "a member is open"
        piece = b""
        while not self._inflater.eof and (data or len(piece) == PIECE_BYTES):
            piece = self._inflater.decompress(data, PIECE_BYTES)
            data = self._inflater.unconsumed_tail
            if piece:
                yield piece

    def _close_member(self) -> bytes:
        """Return what follows a member that has ended."""
        assert self._inflater is not None, "a member is open"
        if not self._inflater.eof:
            return b""
        rest = self._inflater.unused_data
        self._inflater = None
        self._members += 1
        return rest

    def _check_overhead(self) -> None:
        if self._encoded_bytes - self._decoded_bytes > OVERHEAD_BYTES_MAX:
            raise InvalidArgument(
                f"The body is much longer with Content-Encoding {self._coding} than decoded: send "
                "it without."
            )


def _is_zlib(data: bytes) -> bool:
    """Return whether deflate came in its zlib format (RFC 1950), as it should, or bare."""
    return data[0] & 0x0F == ZLIB_METHOD and int.from_bytes(data[:2]) % ZLIB_CHECK == 0
