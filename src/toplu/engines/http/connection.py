"""Calls to one remote server: what it answers, or what its refusal means.

| answer                        | is                                                      |
|-------------------------------|---------------------------------------------------------|
| 200                           | read                                                    |
| 400, 413, 422 and other 4xx   | the request's own fault, in the server's words          |
| 408, other 5xx, broken, wrong | AnswerLost                                              |
| 429, 503, 529                 | ServerBusy                                              |
| 3xx, 401 to 405, 501          | ServerAway: it is not set up as the operator thinks     |

An API whose errors have more than a status has its own reading of them.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus
from typing import Any, TypeVar

import aiohttp
import msgspec

from toplu.clock import Clock, SystemClock
from toplu.engines.http.client import BrokenOff, HttpClient, Silent, Unreachable
from toplu.engines.http.context_overflow import read_overlength
from toplu.engines.http.fault import (
    AnswerLost,
    ServerAway,
    ServerBusy,
    ServerFault,
    read_retry_after,
    read_retry_delay,
)
from toplu.errors import DeadlineExceeded, Internal, InvalidArgument, TopluError
from toplu.settings.remote import RemoteSettings, Secret, ServerSettings

LOOK_SECONDS_MAX = 10.0
WORDS_CHARACTERS_MAX = 500  # of a server's words, as far as clients and logs see them
HTTP_OVERLOADED = 529  # not in the standard, and in use
BUSY = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE, HTTP_OVERLOADED})
UNFIT = frozenset(
    {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.PAYMENT_REQUIRED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.METHOD_NOT_ALLOWED,
        HTTPStatus.NOT_IMPLEMENTED,
    }
)

T = TypeVar("T")

# Of a status, a body and its words as clients may read them: the meaning, None if it is the usual.
ReadRefusal = Callable[[int, bytes, str], TopluError | None]


class ServerConnection:
    """One server. The message of a fault names no address: clients see it, logs add the rest."""

    def __init__(
        self,
        server: ServerSettings,
        remote: RemoteSettings,
        *,
        headers: Mapping[str, str],
        key: Secret | None,
        request_seconds_max: float,
        clock: Clock | None = None,
        read_refusal: ReadRefusal = lambda _status, _body, _words: None,
    ) -> None:
        self.name = server.url.rstrip("/")
        self._remote = remote
        self._key = key
        self._request_seconds_max = request_seconds_max
        self._clock = clock or SystemClock()
        self._read_refusal = read_refusal
        self.client = HttpClient(
            server.url,
            headers=headers,
            connections_max=remote.requests_max,
            connect_seconds_max=remote.connect_seconds_max,
            silence_seconds_max=remote.silence_seconds_max,
            response_bytes_max=remote.response_bytes_max,
        )

    async def ask(self, path: str, body: Any, answer_type: type[T]) -> T:
        """Return the whole answer; the server may be silent as long as the request may take."""
        silence_max = self._request_seconds_max
        async with self.answer_to(path, body, silence_seconds_max=silence_max) as response:
            return self.decode(await self.client.read(response), answer_type)

    @asynccontextmanager
    async def answer_to(
        self, path: str, body: Any, *, silence_seconds_max: float | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Yield an answer that is OK; whatever goes wrong in the body is translated as well."""
        with self._faults_named():
            call = self.client.ask(path, body, silence_seconds_max=silence_seconds_max)
            async with call as response:
                if response.status != HTTPStatus.OK:
                    raise self._refusal(response, await self.client.read(response))
                yield response

    @asynccontextmanager
    async def deadline(self) -> AsyncIterator[None]:
        """Bound the time of one request."""
        try:
            async with asyncio.timeout(self._request_seconds_max):
                yield
        except TimeoutError as error:
            raise self._silent() from error

    async def look_at(self, path: str, answer_type: type[T]) -> T:
        """Return a small answer that the server has at hand, or raise ServerFault."""
        try:
            async with asyncio.timeout(LOOK_SECONDS_MAX), self.answer_to(path, None) as response:
                return self.decode(await self.client.read(response), answer_type)
        except TimeoutError as error:
            raise ServerAway("the server does not answer in time") from error
        except ServerFault:
            raise
        except TopluError as error:
            raise ServerAway(error.message) from error

    def decode(self, body: bytes, answer_type: type[T]) -> T:
        """Return the answer in its type, or raise AnswerLost if it is something else."""
        try:
            return msgspec.json.decode(body, type=answer_type)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise unreadable(error) from error

    def public(self, words: str) -> str:
        """Return a server's words as clients and logs may read them."""
        public = words if self._key is None else self._key.remove_from(words)
        return (
            public if len(public) <= WORDS_CHARACTERS_MAX else f"{public[:WORDS_CHARACTERS_MAX]}…"
        )

    def _without_key(self, body: bytes) -> bytes:
        if self._key is None:
            return body
        return self._key.remove_from(body.decode(errors="replace")).encode()

    def _refusal(self, response: aiohttp.ClientResponse, body: bytes) -> TopluError:
        status = response.status
        words = self.public(words_of(body) or f"status {status}")
        if (meaning := self._read_refusal(status, self._without_key(body), words)) is not None:
            return meaning
        if status in BUSY:
            retry_seconds = read_retry_after(
                response.headers.get("Retry-After") or read_retry_delay(body),
                self._clock.now(),
                self._remote.retry_after_seconds_max,
            )
            return ServerBusy(f"the server is busy: {words}", retry_seconds=retry_seconds)
        if status in UNFIT or status < HTTPStatus.BAD_REQUEST:
            return ServerAway(f"the server refuses with status {status}: {words}", status=status)
        if status == HTTPStatus.REQUEST_TIMEOUT:
            return self._silent()
        # llama.cpp fails over a text that is too long to embed, which is not its failure.
        if status < HTTPStatus.INTERNAL_SERVER_ERROR or read_overlength(words) is not None:
            return InvalidArgument(words)
        return lost(f"the server fails: {words}", overloaded=status == HTTPStatus.GATEWAY_TIMEOUT)

    def _silent(self) -> AnswerLost:
        message = f"The model did not answer within {self._request_seconds_max:g} seconds."
        return AnswerLost(message, outcome=DeadlineExceeded(message), overloaded=True)

    @contextmanager
    def _faults_named(self) -> Iterator[None]:
        try:
            yield
        except Unreachable as error:
            raise ServerAway(f"the server cannot be reached: {error}") from error
        except BrokenOff as error:
            raise lost(f"the server broke off: {error}", overloaded=True) from error
        except Silent as error:
            raise self._silent() from error


def lost(why: str, *, overloaded: bool = False) -> AnswerLost:
    """Return what an answer is that did not come whole."""
    outcome = Internal(f"The request was not answered: {why}.")
    return AnswerLost(why, outcome=outcome, overloaded=overloaded)


def unreadable(error: Exception) -> AnswerLost:
    """Return the error of an answer that has another form than it ought to have."""
    return lost(f"the server answered something else than expected: {error}")


def words_of(body: bytes) -> str:
    """Return the message in an error's body, in whichever of the usual forms."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body[:WORDS_CHARACTERS_MAX].decode(errors="replace").strip()
    if isinstance(found, list) and found:
        found = found[0]
    for name in ("error", "message", "detail"):
        while isinstance(found, dict) and found.get(name):
            found = found[name]
    return found if isinstance(found, str) else str(found)
