"""The start of every URL that is handed out, as the client reaches this server."""

from starlette.requests import Request

from toplu.settings.server import Settings


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


def _forwarded(request: Request, name: str) -> str:
    return request.headers.get(f"x-forwarded-{name}", "").partition(",")[0].strip()
