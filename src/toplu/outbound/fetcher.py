"""Fetches inputs that clients name by their address, where the operator allows it.

    address ──▶ one of those allowed to the project? ──┬─▶ public? ──▶ GET ──┬──▶ bytes, bounded
                                                       └─▶ object of a store ┘ └▶ ETag, noted

Nothing else is fetched: no redirect is followed, and no cookie, proxy or key is sent.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

import aiohttp

import toplu
from toplu.errors import FailedPrecondition, PermissionDenied
from toplu.outbound.addresses import AddressGuard, Refused
from toplu.outbound.connector import GuardedConnector, Resolver
from toplu.outbound.fetched import Fetched, guessed_type, too_large
from toplu.outbound.objects import open_object
from toplu.settings.outbound import OBJECT_SCHEMES, InputSettings
from toplu.wire.gemini.batch import InputOrigin

OK = 200
REDIRECTED = range(300, 400)
HEADERS = {"User-Agent": f"toplu/{toplu.__version__}", "Accept-Encoding": "identity"}
ETAG_LENGTH_MAX = 256
PORTS = {"https": 443, "http": 80}


class Fetcher:
    """Asks for addresses, a bounded number at a time."""

    def __init__(self, settings: InputSettings) -> None:
        self._settings = settings
        self._guard = AddressGuard(settings)
        self._resolver = Resolver()
        self._slots = asyncio.Semaphore(settings.fetches_at_a_time)

    def allows(self, project: str, uri: str) -> bool:
        """Return whether the project may have the address fetched."""
        try:
            asked = urlsplit(uri)
            return any(
                _covers(urlsplit(entry.replace("{project}", project)), asked)
                for entry in self._settings.allow
            )
        except ValueError:
            return False

    def period(self) -> int:
        """Return a number that changes when what was fetched is to be fetched again."""
        return int(asyncio.get_running_loop().time() // self._settings.fresh_seconds)

    async def read(self, project: str, uri: str, field: str) -> bytes:
        """Return all that is at the address; raises what `opened` raises."""
        async with self.opened(project, uri, field) as fetched:
            return b"".join([chunk async for chunk in fetched.chunks])

    @asynccontextmanager
    async def opened(self, project: str, uri: str, field: str) -> AsyncIterator[Fetched]:
        """Give what is at the address.

        Raises PermissionDenied or InvalidArgument for one that is not fetched, and
        FailedPrecondition, while the chunks are read as well, for one that cannot be.
        """
        told = _told(uri)
        if not self.allows(project, uri):
            raise PermissionDenied(
                f"{field}: {told} is not among the addresses that the operator of this server "
                "allows (inputs.allow)."
            )
        seconds_max = self._settings.fetch_seconds_max
        try:
            async with self._slots, asyncio.timeout(seconds_max):
                if urlsplit(uri).scheme in OBJECT_SCHEMES:
                    yield await open_object(told, self._settings)
                    return
                self._guard.check_uri(uri, field)
                async with self._asked(uri) as response:
                    self._check(response, told)
                    yield Fetched(
                        origin=InputOrigin(uri=told, etag=_etag_of(response)),
                        mime_type=_mime_type_of(response, uri),
                        chunks=self._chunks(response, told),
                    )
        except TimeoutError:
            reason = f"it has not come within {seconds_max:g} seconds"
            raise FailedPrecondition(f"{told} cannot be fetched: {reason}.") from None
        except (aiohttp.ClientError, Refused) as fault:
            raise FailedPrecondition(f"{told} cannot be fetched: {_reason(fault)}.") from fault

    @asynccontextmanager
    async def _asked(self, uri: str) -> AsyncIterator[aiohttp.ClientResponse]:
        connector = GuardedConnector(self._guard, self._resolver)
        async with (
            aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            ) as session,
            session.get(uri, headers=HEADERS, allow_redirects=False) as response,
        ):
            yield response

    def _check(self, response: aiohttp.ClientResponse, told: str) -> None:
        if response.status != OK:
            why = ", and redirects are not followed" if response.status in REDIRECTED else ""
            raise FailedPrecondition(
                f"{told} cannot be fetched: it answered {response.status}{why}."
            )
        if encoding := response.headers.get("Content-Encoding"):
            raise FailedPrecondition(f"{told} cannot be fetched: it comes encoded as {encoding}.")
        if (response.content_length or 0) > self._settings.bytes_max:
            raise too_large(told, self._settings.bytes_max)

    async def _chunks(self, response: aiohttp.ClientResponse, told: str) -> AsyncIterator[bytes]:
        read = 0
        async for chunk in response.content.iter_any():
            read += len(chunk)
            if read > self._settings.bytes_max:
                raise too_large(told, self._settings.bytes_max)
            yield chunk


def is_address(uri: str) -> bool:
    """Return whether it is one of another machine, and no name of a file here."""
    return "://" in uri


def _covers(entry: SplitResult, asked: SplitResult) -> bool:
    """Return whether the address is the entry, or below it if the entry ends with a slash."""
    path = unquote(asked.path)
    if "\\" in path or any(part in {".", ".."} for part in path.split("/")):
        return False
    is_place = entry.scheme == asked.scheme and entry.hostname == asked.hostname
    if not is_place or _port(entry) != _port(asked):
        return False
    allowed = unquote(entry.path) or "/"
    return path.startswith(allowed) if allowed.endswith("/") else path == allowed


def _port(parts: SplitResult) -> int | None:
    return parts.port or PORTS.get(parts.scheme)


def _told(uri: str) -> str:
    try:
        return urlunsplit(urlsplit(uri)._replace(query="", fragment=""))
    except ValueError:
        return "the address"


def _etag_of(response: aiohttp.ClientResponse) -> str | None:
    etag = response.headers.get("ETag", "")
    return etag[:ETAG_LENGTH_MAX] or None


def _mime_type_of(response: aiohttp.ClientResponse, uri: str) -> str | None:
    return response.headers.get("Content-Type") or guessed_type(uri)


def _reason(fault: Exception) -> str:
    if isinstance(fault, aiohttp.ClientConnectorError) and isinstance(fault.os_error, Refused):
        return str(fault.os_error)
    return str(fault) or type(fault).__name__
