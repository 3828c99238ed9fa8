"""The socket on which a server listens, with a word for whoever chose a port in use."""

import errno
import socket

from toplu.errors import ConfigurationError
from toplu.settings.server import Settings

CONNECTIONS_WAITING_MAX = 2048


def bind(settings: Settings) -> socket.socket:
    """Return the listening socket of the front door."""
    return listen(settings.host, settings.port, host_setting="--host", port_setting="--port")


def listen(host: str, port: int, *, host_setting: str, port_setting: str) -> socket.socket:
    """Return a listening socket, or raise ConfigurationError that says what is in the way."""
    try:
        family, *_, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(CONNECTIONS_WAITING_MAX)
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on {host}:{port}: {error.strerror}"
            f"{_mend(error, host_setting, port_setting)}"
        ) from error
    listener.setblocking(False)
    return listener


def url_of(listener: socket.socket) -> str:
    """Return the URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    return url_at(host, port)


def url_at(host: str, port: int, scheme: str = "http") -> str:
    """Return the URL of a port of a host, which may be an IPv6 address."""
    named = f"[{host}]" if ":" in host else host
    return f"{scheme}://{named}:{port}"


def _mend(error: OSError, host_setting: str, port_setting: str) -> str:
    if error.errno in (errno.EADDRINUSE, errno.EACCES):
        return f"; choose another port with {port_setting}, 0 for any that is free"
    return f"; choose another address with {host_setting}"
