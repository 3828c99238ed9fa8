"""Connections of the HTTP server, and how long and how many of them may wait for their clients.

    a head that does not come      408, after `header_seconds_max`
    an answer that is not taken    dropped, when nothing of it was for `stream_stall_seconds_max`
    one connection too many        takes the place of the one whose client has been silent longest

A call that is being answered never loses its connection to another. While all connections have
such calls, a new one gets a 503.
"""

import asyncio
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from toplu.api.http.error_responses import body_of
from toplu.api.http.responses import CONTENT_TYPE
from toplu.errors import InvalidArgument, RequestTimeout, TopluError, Unavailable
from toplu.settings.bounds import KIB
from toplu.settings.server import Settings
from toplu.wire.gemini import message

# A head may share a read with what came before it, which counts as well: hence not less.
HEAD_BYTES_MAX = 512 * KIB
# So much of an answer is taken before more is asked for: a slow client is not taken for a dead one.
WRITTEN_AT_A_TIME_BYTES = 64 * KIB


class Connections:
    """The open connections of a server, `count_max` at most."""

    def __init__(self, *, count_max: int) -> None:
        self._count_max = count_max
        self._open: set[Connection] = set()
        # Those that wait for their clients; the client that was silent longest comes first.
        self._waiting: dict[Connection, None] = {}

    def admit(self, connection: "Connection") -> bool:
        """Take a connection in, perhaps in place of another; False if all have calls."""
        if len(self._open) >= self._count_max:
            if not self._waiting:
                return False
            longest = next(iter(self._waiting))
            self.remove(longest)
            longest.drop()
        self._open.add(connection)
        self._waiting[connection] = None
        return True

    def note(self, connection: "Connection", *, is_waiting: bool) -> None:
        """Note that something happened on a connection, and whether it waits for its client now."""
        self._waiting.pop(connection, None)
        if is_waiting and connection in self._open:
            self._waiting[connection] = None

    def remove(self, connection: "Connection") -> None:
        """Forget a connection that is closed."""
        self._open.discard(connection)
        self._waiting.pop(connection, None)


class Connection(HttpToolsProtocol):
    """uvicorn's connection, which would wait for its client without an end."""

    def __init__(
        self, *arguments: Any, settings: Settings, connections: Connections, **named: Any
    ) -> None:
        super().__init__(*arguments, **named)
        self._settings = settings
        self._all = connections
        self._reads_head = False
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None

    @property
    def _has_call(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def drop(self) -> None:
        """Close at once, whatever has not been sent."""
        self.transport.abort()

    # What happens on a connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if not self._all.admit(self):
            self._refuse(Unavailable("All connections of this server are in use: try again later."))
            return
        high = self._settings.unsent_bytes_max
        transport.set_write_buffer_limits(high, max(high - WRITTEN_AT_A_TIME_BYTES, 0))
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._all.remove(self)
        self._end_head_timer()
        self._end_write_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._reads_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX:
                self.send_400_response("The headers are too long.")
        if not self._has_call:
            self._await_head()
        self._note()

    def on_message_begin(self) -> None:
        self._reads_head = True
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._reads_head = False
        self._head_bytes = 0
        self._end_head_timer()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.get_write_buffer_size():
            self._watch_writing()
        self._note()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_writing()
        self._note()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._end_write_timer()
        self._note()

    def _note(self) -> None:
        is_waiting = not self._has_call or self.cycle.more_body or self.flow.write_paused
        self._all.note(self, is_waiting=is_waiting)

    # Clients that are silent

    def _await_head(self) -> None:
        if self._head_timer is None and not self.transport.is_closing():
            seconds = self._settings.header_seconds_max
            self._head_timer = self.loop.call_later(seconds, self._end_silence)

    def _end_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _end_silence(self) -> None:
        if self._head_bytes:
            seconds = self._settings.header_seconds_max
            self._refuse(RequestTimeout(f"The headers did not end within {seconds:g} seconds."))
        else:
            self.transport.close()

    def _watch_writing(self) -> None:
        self._end_write_timer()
        self._write_timer = self.loop.call_later(
            self._settings.stream_stall_seconds_max,
            self._end_stall,
            self.transport.get_write_buffer_size(),
        )

    def _end_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _end_stall(self, unsent_before: int) -> None:
        unsent = self.transport.get_write_buffer_size()
        if 0 < unsent < unsent_before:
            self._watch_writing()
        elif unsent:
            self.drop()

    # Answers without a call

    def send_400_response(self, msg: str) -> None:
        """Answer as the API does to what is no HTTP."""
        self._refuse(InvalidArgument(msg))

    def _refuse(self, error: TopluError) -> None:
        body = message.write(body_of(error))
        status = HTTPStatus(error.http_status)
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {CONTENT_TYPE}\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
