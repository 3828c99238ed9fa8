"""Names of hosts, origins of web pages and addresses of servers, as they are written."""

import ipaddress
import re
from urllib.parse import urlsplit

HOST = r"\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+"
HOST_NAME = re.compile(HOST)
AUTHORITY = re.compile(rf"(?P<host>{HOST})(:(?P<port>[0-9]{{0,5}}))?")
ORIGIN = re.compile(rf"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>({HOST})(:[0-9]+)?)")
DEFAULT_PORTS = {"http": 80, "https": 443}

Address = tuple[str, int | None]


def normalize_host(name: str) -> str:
    """Return the one spelling of a host: lower case, no brackets, no dot at the end."""
    name = name.strip("[]").lower().removesuffix(".")
    try:
        return ipaddress.ip_address(name).compressed
    except ValueError:
        return name


def address_of(authority: str, scheme: str = "") -> Address | None:
    """Return the host in its one spelling and the port of `host:port`, None if it is neither.

    Where no port is named it is that of the scheme.
    """
    found = AUTHORITY.fullmatch(authority)
    if found is None:
        return None
    port = int(found["port"]) if found["port"] else DEFAULT_PORTS.get(scheme)
    return normalize_host(found["host"]), port


def origin_of(url: str) -> str:
    """Return the origin of a URL as browsers write it: lower case, without the usual port."""
    parts = urlsplit(url.lower())
    usual = f":{DEFAULT_PORTS.get(parts.scheme)}"
    return f"{parts.scheme}://{parts.netloc.removesuffix(usual)}"


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach the host, given in its one spelling."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


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
