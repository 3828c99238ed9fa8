"""Addresses of both ends of a call: the URL of this server, and where the client is."""

import ipaddress

from starlette.requests import Request

from toplu.settings.server import Settings

ADDRESS_LENGTH_MAX = 64


def base_url(request: Request, settings: Settings) -> str:
    """Return scheme, host and path prefix, as the client used them, without a final slash.

    Proxies say them in X-Forwarded-* headers, the outermost first; the setting `public_url`
    overrules both.
    """
    if settings.public_url is not None:
        return settings.public_url.rstrip("/")
    scheme = _forwarded(request, "proto") or request.url.scheme
    host = _forwarded(request, "host") or request.headers.get("host", request.url.netloc)
    prefix = _forwarded(request, "prefix").rstrip("/")
    return f"{scheme}://{host}{prefix}"


def client_address(request: Request, settings: Settings) -> str | None:
    """Return the address of the client, None where there is none: a call by a Unix socket.

    X-Forwarded-For is what a client made of it and each proxy behind the client added to. Of that
    only counts what `trusted_proxies` have added: the last address that is none of theirs.
    """
    address = request.client.host if request.client is not None else ""
    if not settings.trusted_proxies:
        return address or None
    passed = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
    for before in reversed(passed):
        if not _is_proxy(address, settings.trusted_proxies) or not before.strip():
            break
        address = before.strip()[:ADDRESS_LENGTH_MAX]
    return address or None


def _is_proxy(address: str, networks: tuple[str, ...]) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(found in ipaddress.ip_network(network) for network in networks)


def _forwarded(request: Request, name: str) -> str:
    return request.headers.get(f"x-forwarded-{name}", "").partition(",")[0].strip()
