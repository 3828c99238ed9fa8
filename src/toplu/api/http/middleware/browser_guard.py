"""Refuses calls that a web page of somebody else makes through the browser of a user.

    Host            must be a name of this server: for pages always, for calls while any key works
    Origin          must be this server's, or one of `allowed_origins`
    Sec-Fetch-Site  must not be cross-site, unless the origin is one of `allowed_origins`

A browser reaches whatever its user reaches, a loopback address as well, and no page can change what
these headers say. A page whose own name was made to point here (DNS rebinding) has the origin that
the browser calls, but that name is no name of this server. Every other page (cross-site request
forgery) has a foreign origin. Programs that are no browsers send neither of the last two.
"""

import re
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from toplu.api.http.error_responses import render
from toplu.errors import PermissionDenied
from toplu.settings.hosts import ORIGIN, address_of, is_loopback, normalize_host, origin_of
from toplu.settings.server import Settings

# Monitors call these by whatever name they know.
ANY_HOST = frozenset({"/healthz", "/readyz"})
# Every other path is a page, or what a page loads.
CALL = re.compile(r"/((upload|download|openai)/)?v1(beta|alpha)?/.*", re.DOTALL)
SHOWN_CHARACTERS_MAX = 100


class BrowserGuard:
    """Middleware that answers such calls with 403, and says which setting would allow them."""

    def __init__(
        self, app: ASGIApp, *, settings: Settings, accepts_any_key: Callable[[], Awaitable[bool]]
    ) -> None:
        self._app = app
        self._accepts_any_key = accepts_any_key
        public = settings.public_url
        names = [settings.host, *settings.allowed_hosts, (public and urlsplit(public).hostname)]
        self._hosts = {normalize_host(name) for name in names if name}
        self._own_origin = None if public is None else origin_of(public)
        self._allowed_origins = frozenset(map(origin_of, settings.allowed_origins))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (refusal := await self._refusal(scope)) is not None:
            response = await render(Request(scope), refusal)
            await response(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _refusal(self, scope: Scope) -> PermissionDenied | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if not self._knows(hosts) and await self._minds_host(scope["path"]):
            return PermissionDenied(
                f'Host "{_shown(", ".join(hosts))}" is no name of this server. Add it to the '
                "setting allowed_hosts if clients are to use it."
            )
        origin = headers.get("origin")
        if origin in self._allowed_origins:
            return None
        if origin is not None and not self._is_own(origin, hosts):
            return PermissionDenied(
                f'Pages of the origin "{_shown(origin)}" may not call this server. Add it to the '
                "setting allowed_origins if they are to."
            )
        if headers.get("sec-fetch-site") == "cross-site":
            return PermissionDenied(
                "Pages of other sites may not call this server (Sec-Fetch-Site: cross-site). Add "
                "their origin to the setting allowed_origins if they are to."
            )
        return None

    def _knows(self, hosts: list[str]) -> bool:
        addresses = [address_of(host) for host in hosts]
        return bool(addresses) and all(
            address is not None and (address[0] in self._hosts or is_loopback(address[0]))
            for address in addresses
        )

    async def _minds_host(self, path: str) -> bool:
        if path in ANY_HOST:
            return False
        return CALL.fullmatch(path) is None or await self._accepts_any_key()

    def _is_own(self, origin: str, hosts: list[str]) -> bool:
        """Return whether the page came from where the call goes, through whichever proxy."""
        if origin == self._own_origin:
            return True
        found = ORIGIN.fullmatch(origin)
        if found is None or len(hosts) != 1:
            return False
        scheme = found["scheme"].lower()
        own = address_of(hosts[0], scheme)
        return own is not None and address_of(found["authority"], scheme) == own


def _shown(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS_MAX else f"{text[:SHOWN_CHARACTERS_MAX]}…"
