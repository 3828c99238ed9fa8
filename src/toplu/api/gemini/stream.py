r"""Streams out: an answer that goes to the client while it is made.

    ?alt=sse    data: {chunk}\r\n\r\n …          an event for each chunk, and no other at the end
    otherwise   [{chunk},\r\n{chunk} … ]         one list, written bit by bit

The status waits for the first chunk: what fails before it is an ordinary failed call, what fails
later is a last chunk `{"error": …}`. Each chunk is sent at once, uncompressed, and the engine goes
on when the connection has taken it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from toplu.api.http.error_responses import body_of, failure_of, render
from toplu.api.http.gate import Endpoint
from toplu.api.http.responses import CONTENT_TYPE
from toplu.errors import Cancelled, TopluError
from toplu.wire.gemini import message

HTTP_OK = 200
STREAM_FORMS = frozenset({"json", "sse"})  # values of `alt`

Listener = Callable[[Any], Awaitable[None]]
# Tells every chunk in turn, or raises Cancelled if the client went away.
Work = Callable[[Listener], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The text around the chunks."""

    content_type: str
    before_first: bytes
    before_next: bytes
    after_each: bytes
    at_end: bytes


EVENTS = Form(
    content_type="text/event-stream",
    before_first=b"data: ",
    before_next=b"data: ",
    after_each=b"\r\n\r\n",
    at_end=b"",
)
LIST = Form(
    content_type=CONTENT_TYPE,
    before_first=b"[",
    before_next=b",\r\n",
    after_each=b"",
    at_end=b"]",
)


def in_its_form(endpoint: Endpoint) -> Endpoint:
    """Return the endpoint with its errors in a list of one where a stream would be a list."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Exception as error:  # noqa: BLE001  # rendered as the router would do it
            return await render(request, error, in_list=_form_of(request) is LIST)

    return answer


def end_of_broken(request: Request, error: TopluError) -> bytes:
    """Return what ends a stream that is broken off between two chunks."""
    form = _form_of(request)
    return form.before_next + message.write(body_of(error)) + form.after_each + form.at_end


class StreamedAnswer(Response):
    """The answer that some work gives chunk by chunk; leaving it stops the work."""

    def __init__(self, request: Request, work: Work, *, stall_seconds_max: float) -> None:
        self._request = request
        self._work = work
        self._stall_seconds_max = stall_seconds_max
        self._form = _form_of(request)
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
                failed = await render(self._request, error, in_list=self._form is LIST)
                await failed(scope, receive, send)
                return
            try:
                await send_chunk(body_of(failure_of(self._request, error)))
            except Cancelled:
                return
        await send({"type": "http.response.body", "body": self._form.at_end, "more_body": False})

    async def _send_chunk(self, send: Send, chunk: Any) -> None:
        before = self._form.before_next if self._begun else self._form.before_first
        body = before + message.write(chunk) + self._form.after_each
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


def _form_of(request: Request) -> Form:
    return EVENTS if request.query_params.get("alt") == "sse" else LIST
