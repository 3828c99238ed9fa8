"""HTTP to one server that answers requests: every wait and every answer has a bound."""

import asyncio
import io
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec

from toplu.tracing.spans import SPANS

# Less than the five seconds after which the usual servers close an idle connection.
KEEP_ALIVE_SECONDS = 3.0
LINE_BYTES_MAX = 1024 * 1024  # of a stream
CONNECTIONS_SPARE = 16  # for looks at the server's health, and counts of tokens


class Unreachable(Exception):
    """No connection: the server has seen nothing of the request."""


class BrokenOff(Exception):
    """The connection ended before the answer did, or the answer is too long to go on reading."""


class Silent(Exception):
    """The server is silent for too long."""


class HttpClient:
    """One server; redirects are not followed, for the operator chose this one."""

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        connections_max: int,
        connect_seconds_max: float,
        silence_seconds_max: float,
        response_bytes_max: int,
    ) -> None:
        self._url = url.rstrip("/")
        self._response_bytes_max = response_bytes_max
        self._session = aiohttp.ClientSession(
            headers={"Content-Type": "application/json", **headers},  # the key among them
            connector=aiohttp.TCPConnector(
                limit=connections_max + CONNECTIONS_SPARE, keepalive_timeout=KEEP_ALIVE_SECONDS
            ),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=connect_seconds_max, sock_read=silence_seconds_max
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=LINE_BYTES_MAX,
            trace_configs=[_telling_used_connections()],
            trust_env=False,
        )
        self._calls = 0
        self._retired = False

    @property
    def is_closed(self) -> bool:
        return self._session.closed

    @asynccontextmanager
    async def ask(
        self, path: str, body: Any = None, *, silence_seconds_max: float | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Yield the answer to a POST of `body`, or to a GET; leaving early breaks it off."""
        if self._session.closed:
            raise Unreachable("closed")
        self._calls += 1
        try:
            waits = self._waits(silence_seconds_max)
            async with await self._first_bytes(path, body, waits) as response:
                yield response
        except aiohttp.ClientConnectorError as error:
            raise Unreachable(_reason(error)) from error
        except aiohttp.ServerTimeoutError as error:
            if isinstance(error, aiohttp.ConnectionTimeoutError):
                raise Unreachable("no connection in time") from error
            raise Silent("no answer in time") from error
        except (aiohttp.ClientError, OSError) as error:
            raise BrokenOff(_reason(error)) from error
        finally:
            self._calls -= 1
            await self._close_if_retired()

    async def read(self, response: aiohttp.ClientResponse) -> bytes:
        """Return the whole body, or raise BrokenOff if it is longer than allowed."""
        return b"".join([piece async for piece in self.pieces(response)])

    def pieces(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        """Return the body as it comes."""
        return self._bounded(response.content.iter_any())

    def lines(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        """Return the lines of the body as they come."""
        return self._bounded(aiter(response.content))

    async def retire(self) -> None:
        """Close when the calls in flight have ended, which may be at once."""
        self._retired = True
        await self._close_if_retired()

    async def close(self) -> None:
        """Break off the calls in flight."""
        await self._session.close()

    async def _first_bytes(
        self, path: str, body: Any, waits: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        while True:
            connection = _Connection()
            try:
                return await self._session.request(
                    "GET" if body is None else "POST",
                    self._url + path,
                    data=None if body is None else _payload_of(body),
                    allow_redirects=False,
                    headers=SPANS.headers(),
                    timeout=waits,
                    trace_request_ctx=connection,
                )
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                # Servers close idle connections when they like. A request that is sent into one
                # that is being closed looks as if its server had died; a new one will find out.
                if not connection.is_used:
                    raise

    def _waits(self, silence_seconds_max: float | None) -> aiohttp.ClientTimeout:
        timeout = self._session.timeout
        if silence_seconds_max is None:
            return timeout
        return aiohttp.ClientTimeout(
            total=None, sock_connect=timeout.sock_connect, sock_read=silence_seconds_max
        )

    async def _bounded(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        size = 0
        try:
            async for piece in pieces:
                size += len(piece)
                if size > self._response_bytes_max:
                    raise BrokenOff(f"the answer is longer than {self._response_bytes_max} bytes")
                yield piece
        except ValueError as error:  # aiohttp's, of a line that does not end
            raise BrokenOff("a line of the answer is too long") from error

    async def _close_if_retired(self) -> None:
        if self._retired and self._calls == 0 and not self._session.closed:
            # Not to be left half done by a call that is cancelled.
            await asyncio.shield(self._session.close())


@dataclass(slots=True)
class _Connection:
    """The connection of one request."""

    is_used: bool = False  # by a request before it


def _telling_used_connections() -> aiohttp.TraceConfig:
    async def note(_session: Any, context: Any, _parameters: Any) -> None:
        context.trace_request_ctx.is_used = True

    trace = aiohttp.TraceConfig()
    trace.on_connection_reuseconn.append(note)
    return trace


def _payload_of(body: Any) -> bytes | io.BytesIO:
    encoded = msgspec.json.encode(body)
    # A long one is written piece by piece, so that others get a word in between.
    return encoded if len(encoded) <= LINE_BYTES_MAX else io.BytesIO(encoded)


def _reason(error: Exception) -> str:
    """Return what happened, without the address that aiohttp would name."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    number = cause.errno if isinstance(cause, OSError) else None
    if number is None:
        return type(cause).__name__
    # asyncio's own words would have the address again; those of a resolver have negative numbers.
    return os.strerror(number) if number > 0 else "its name is not known"
