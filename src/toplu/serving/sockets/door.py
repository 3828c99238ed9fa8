"""A worker listens for the api at a Unix socket of the data folder, or a port of a network."""

import contextlib
import ipaddress
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from toplu.api.doors.cluster import ClusterGate
from toplu.errors import ConfigurationError
from toplu.serving.sockets.listener import CONNECTIONS_WAITING_MAX, listen, url_at
from toplu.serving.sockets.socket_folder import socket_folder
from toplu.settings.cluster import ClusterSettings
from toplu.settings.server import Settings
from toplu.wiring.http_server import door_config

SUFFIX = ".door"


@dataclass(frozen=True, slots=True)
class Door:
    """A socket that listens, and what the api knows it by: a path, or a URL."""

    listener: socket.socket
    address: str


@contextlib.contextmanager
def open_door(settings: Settings, worker_id: str) -> Iterator[Door]:
    """Listen while the body runs; ConfigurationError: the port cannot be had."""
    at = settings.cluster.listening_at
    if at is None:
        path = socket_folder(settings.data_dir) / f"{worker_id}{SUFFIX}"
        with _listening(path) as listener:
            yield Door(listener, str(path))
        return
    host, port = at
    with listen(host, port, host_setting="cluster.door", port_setting="cluster.door") as listener:
        yield Door(listener, _url_of(settings.cluster, listener))


def config_of(app: ASGIApp, settings: Settings) -> uvicorn.Config:
    """Return uvicorn's settings for the door; on a network it is for processes of the cluster."""
    cluster = settings.cluster
    if cluster.door is None:
        return door_config(app)
    secret = cluster.read_secret()
    assert secret is not None, "the settings were checked"
    return door_config(
        ClusterGate(app, secret),
        ssl_certfile=cluster.certificate_file,
        ssl_keyfile=cluster.key_file,
    )


def _url_of(cluster: ClusterSettings, listener: socket.socket) -> str:
    if cluster.door_url is not None:
        return cluster.door_url.rstrip("/")
    host, port = listener.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = own_address(listener.family)
    return url_at(host, port, "http" if cluster.certificate_file is None else "https")


def own_address(family: int) -> str:
    """Return the address that this machine has on its way out; ConfigurationError: it has none."""
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            # Nothing is sent: the kernel looks up the way. Addresses of documents, RFC 5737, 3849.
            probe.connect(("192.0.2.1" if family == socket.AF_INET else "2001:db8::1", 9))
        except OSError as error:
            raise ConfigurationError(
                f"cluster: this machine has no way out ({error.strerror}): set door_url"
            ) from error
        host: str = probe.getsockname()[0]
        return host


@contextlib.contextmanager
def _listening(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(CONNECTIONS_WAITING_MAX)
        listener.setblocking(False)
        try:
            yield listener
        finally:
            path.unlink(missing_ok=True)
