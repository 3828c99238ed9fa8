"""Connections at a worker's door: at a Unix socket, from processes of the same user alone.

Those of a network show the cluster's secret with each call instead (`api.doors.cluster`).
"""

import asyncio
import os
import socket
import struct
from typing import Any

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

log = structlog.get_logger()

CREDENTIALS = struct.Struct("3i")  # process, user, group: SO_PEERCRED, unix(7)


class DoorConnection(HttpToolsProtocol):
    """uvicorn's connection, closed at once if it comes from another user."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        connected = transport.get_extra_info("socket")
        if connected.family != socket.AF_UNIX:
            return
        user = peer_of(connected)
        if user != os.getuid():
            log.warning("door_refused", user=user)
            transport.abort()


def peer_of(connected: Any) -> int:
    """Return the user of the process at the other end of a Unix socket."""
    if not hasattr(socket, "SO_PEERCRED"):
        return os.getuid()  # the folder, which only its owner may enter, has to do
    found = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    user: int = CREDENTIALS.unpack(found)[1]
    return user
