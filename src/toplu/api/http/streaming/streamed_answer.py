"""Streams out: an answer that goes to the client while it is made, in the form of its wire.

The status waits for the first chunk: what fails before it is an ordinary failed call, what fails
later is a last chunk with the error. Each chunk is sent at once, uncompressed, and the engine goes
on when the connection has taken it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from toplu.api.http.error_responses import failure_of
from toplu.errors import Cancelled, TopluError
from toplu.wire.gemini import message

HTTP_OK = 200

Listener = Callable[[Any], Awaitable[None]]
# Tells every chunk in turn, or raises Cancelled if the client went away.
Work = Callable[[Listener], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The text around the chunks, and how an error looks."""

    content_type: str
    before_first: bytes
    before_next: bytes
    after_each: bytes
    at_end: bytes
    render: Callable[[Request, Exception], Awaitable[Response]]  # before the first chunk
    body_of: Callable[[TopluError], Any]  # as a last chunk
    write: Callable[[Any], bytes] = message.write

    def end_of_broken(self, error: TopluError) -> bytes:
        """Return what ends a stream that is broken off between two chunks."""
        return self.before_next + self.write(self.body_of(error)) + self.after_each + self.at_end


class StreamedAnswer(Response):
    """The answer that some work gives chunk by chunk; leaving it stops the work."""

    def __init__(
        self, request: Request, work: Work, form: Form, *, stall_seconds_max: float
    ) -> None:
        self._request = request
        self._work = work
        self._stall_seconds_max = stall_seconds_max
        self._form = form
        self._begun = False
        self.status_code = HTTP_OK
        self.init_headers(
            {
                "Content-Type": self._form.content_type,
                "Cache-Control": "no-cache",
                "X-Accel-Buffering": "no",  # else nginx would keep the chunks until the end
            }
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the chunks as they come, or the error that comes instead of one."""

        async def send_chunk(chunk: Any) -> None:
            await self._send_chunk(send, chunk)

        try:
            await self._work(send_chunk)
        except Cancelled:
            return  # nobody is there to read an end
        except Exception as error:  # noqa: BLE001  # rendered as the router would do it
            if not self._begun:
                failed = await self._form.render(self._request, error)
                await failed(scope, receive, send)
                return
            try:
                await send_chunk(self._form.body_of(failure_of(self._request, error)))
            except Cancelled:
                return
        await send({"type": "http.response.body", "body": self._form.at_end, "more_body": False})

    async def _send_chunk(self, send: Send, chunk: Any) -> None:
        before = self._form.before_next if self._begun else self._form.before_first
        body = before + self._form.write(chunk) + self._form.after_each
        try:
            async with asyncio.timeout(self._stall_seconds_max):
                if not self._begun:
                    self._begun = True
                    await send(
                        {
                            "type": "http.response.start",
                            "status": self.status_code,
                            "headers": self.raw_headers,
                        }
                    )
                await send({"type": "http.response.body", "body": body, "more_body": True})
        except OSError as error:  # also a timeout
            raise Cancelled("The client takes no more of its answer.") from error
