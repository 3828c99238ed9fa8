"""Checks the addresses of servers."""

from urllib.parse import urlsplit


def address_fault(url: str, *, keys: str | None = None) -> str | None:
    """Return what is wrong with the address of a server, as the end of a sentence, or None.

    `keys` names the settings for the server's key, if there are any.
    """
    try:
        parts = urlsplit(url)
        port_is_right = parts.port != 0
    except ValueError:
        return "is none"
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_right:
        return "is no http:// or https:// address"
    if parts.username is not None or parts.password is not None:
        return "has credentials in it" + (f": name them with {keys}" if keys else "")
    if parts.query or parts.fragment or "?" in url or "#" in url:
        return "has a query or a fragment"
    return None
