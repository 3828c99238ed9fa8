"""How clients call this server: the start of every URL that is handed out."""

from starlette.requests import Request

from toplu.settings import Settings


def base_url(request: Request, settings: Settings) -> str:
    """Return scheme, host and path prefix, as the client used them, without a final slash.

    A proxy says them in X-Forwarded-* headers; the setting `public_url` overrules both.
    """
    if settings.public_url is not None:
        return settings.public_url.rstrip("/")
    headers = request.headers
    scheme = headers.get("x-forwarded-proto", request.url.scheme)
    host = headers.get("x-forwarded-host", headers.get("host", request.url.netloc))
    prefix = headers.get("x-forwarded-prefix", "").rstrip("/")
    return f"{scheme}://{host}{prefix}"
