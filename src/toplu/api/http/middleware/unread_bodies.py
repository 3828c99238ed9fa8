"""Reads on where a call is answered before its body has come, so that the answer arrives.

A connection that is closed while bytes come in is reset, and a reset takes the answer with it. So
the answer goes out, what still comes of the body is read and dropped within a bound of bytes and of
seconds, and then the connection is closed in order (RFC 9112, 9.6):

    start ─▶ body of the answer ─▶ read on ─▶ end of the answer ─▶ close
"""

import asyncio

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from toplu.settings.bounds import KIB

# The connection outlives an unread body that is no longer than this.
KEPT_ALIVE_BYTES_MAX = 64 * KIB


class UnreadBodies:
    """Middleware that ends an answer when the body of its call has come, or enough of it."""

    def __init__(self, app: ASGIApp, *, bytes_max: int, seconds_max: float) -> None:
        self._app = app
        self._bytes_max = bytes_max
        self._seconds_max = seconds_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _has_body(headers := Headers(scope=scope)):
            call = _Call(
                receive,
                send,
                keeps_alive=_is_short(headers),
                bytes_max=self._bytes_max,
                seconds_max=self._seconds_max,
            )
            receive, send = call.receive, call.send
        await self._app(scope, receive, send)


class _Call:
    """One call that has a body."""

    def __init__(
        self,
        receive: Receive,
        send: Send,
        *,
        keeps_alive: bool,
        bytes_max: int,
        seconds_max: float,
    ) -> None:
        self._receive = receive
        self._send = send
        self._keeps_alive = keeps_alive
        self._bytes_max = bytes_max
        self._seconds_max = seconds_max
        self._is_whole = False

    async def receive(self) -> Message:
        """Return the next message of the server, and note whether it is the last of the body."""
        message = await self._receive()
        self._is_whole = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """Send a message of the answer; the end of it waits for the end of the body."""
        if self._is_whole:
            await self._send(message)
            return
        if message["type"] == "http.response.start":
            if not self._keeps_alive:
                MutableHeaders(scope=message)["Connection"] = "close"
        elif not message.get("more_body", False):
            await self._send({**message, "more_body": True})
            await self._read_on()
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(message)

    async def _read_on(self) -> None:
        left = self._bytes_max
        try:
            async with asyncio.timeout(self._seconds_max):
                while left > 0 and not self._is_whole:
                    left -= len((await self.receive()).get("body", b""))
        except TimeoutError:
            return


def _has_body(headers: Headers) -> bool:
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


def _is_short(headers: Headers) -> bool:
    declared = headers.get("content-length", "")
    # A client that waits for permission to send the body (Expect: 100-continue) will not send it.
    is_coming = "expect" not in headers
    return is_coming and declared.isdecimal() and int(declared) <= KEPT_ALIVE_BYTES_MAX
