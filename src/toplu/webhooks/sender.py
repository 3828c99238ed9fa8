"""Sends one delivery once: no redirect, no cookie, no proxy, and little is read of the answer."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp

import toplu
from toplu.errors import InvalidArgument
from toplu.outbound.addresses import AddressGuard, Refused
from toplu.outbound.connector import GuardedConnector, Resolver
from toplu.settings.outbound import WebhookSettings

ANSWER_BYTES_MAX = 4096
ACCEPTED = range(200, 300)
REDIRECTED = range(300, 400)
HEADERS = {"Content-Type": "application/json", "User-Agent": f"toplu/{toplu.__version__}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The outcome of one try."""

    status: int | None = None
    reason: str | None = None  # None: it was accepted


class Sender:
    """Posts bodies to addresses that may be told."""

    def __init__(self, settings: WebhookSettings) -> None:
        self._guard = AddressGuard(settings)
        self._resolver = Resolver()
        self._seconds_max = settings.try_seconds_max

    async def post(self, uri: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Return what the receiver said, or why it said nothing."""
        try:
            # The settings may have changed since it was made.
            self._guard.check_uri(uri, "uri")
            async with asyncio.timeout(self._seconds_max):
                return await self._post(uri, body, headers)
        except TimeoutError:
            return Answer(reason=f"no answer within {self._seconds_max:g} seconds")
        except (InvalidArgument, Refused) as fault:
            return Answer(reason=str(fault))
        except (aiohttp.ClientError, OSError, ValueError) as fault:
            return Answer(reason=_reason(fault))

    async def _post(self, uri: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        connector = GuardedConnector(self._guard, self._resolver)
        async with (
            aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            ) as session,
            session.post(
                uri, data=body, headers=HEADERS | dict(headers), allow_redirects=False
            ) as response,
        ):
            await _read_some(response)
            return _answer_of(response.status)


def _answer_of(status: int) -> Answer:
    if status in ACCEPTED:
        return Answer(status=status)
    why = ", and redirects are not followed" if status in REDIRECTED else ""
    return Answer(status=status, reason=f"the receiver answered {status}{why}")


async def _read_some(response: aiohttp.ClientResponse) -> None:
    """Let the receiver finish what it says, if that is little."""
    left = ANSWER_BYTES_MAX
    while left > 0 and (piece := await response.content.read(left)):
        left -= len(piece)


def _reason(fault: Exception) -> str:
    if isinstance(fault, aiohttp.ClientConnectorError) and isinstance(fault.os_error, Refused):
        return str(fault.os_error)
    return str(fault) or type(fault).__name__
