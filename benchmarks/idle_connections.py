"""Measures the time of `batches.get` beside thousands of idle connections."""

import resource
import socket
import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from batches import create_batch
from polling import CATALOGUE, percentile, poll
from sizes import Size

from support.server import Server, started_server

CONNECTIONS = {Size.TINY: 200, Size.SELECTION: 6000, Size.FULL: 6000}
POLLS = {Size.TINY: 20, Size.SELECTION: 1000, Size.FULL: 2000}
FILES_OF_THE_REST = 256
HOUR = 3600
# What they have sent when they fall silent: nothing, half a head, a head and half a body.
BEGINNINGS = (
    b"",
    b"GET /v1beta/batches HTTP/1.1\r\nHost: localhost\r\nX-",
    (
        b"POST /v1beta/models/echo:generateContent HTTP/1.1\r\nHost: localhost\r\n"
        b'x-goog-api-key: any\r\nContent-Length: 100\r\n\r\n{"'
    ),
)
LINES = [{"key": "k", "request": {"contents": [{"parts": [{"text": "line"}]}]}}]


def measure(size: Size) -> dict[str, Any]:
    """Return percentiles in milliseconds, without the connections and beside them."""
    count = CONNECTIONS[size]
    _raise_file_limit(count + FILES_OF_THE_REST)
    with (
        tempfile.TemporaryDirectory(prefix="toplu-bench-") as folder,
        started_server(
            Path(folder), config=CATALOGUE, header_seconds_max=HOUR, body_silence_seconds_max=HOUR
        ) as server,
        ExitStack() as connections,
    ):
        batch = create_batch(server, LINES)
        alone = poll(server, batch, POLLS[size])
        silent = [connections.enter_context(_connect(server)) for _ in range(count)]
        for number, connection in enumerate(silent):
            connection.sendall(BEGINNINGS[number % len(BEGINNINGS)])
        beside = poll(server, batch, POLLS[size])
        closed = sum(_is_closed(connection) for connection in silent)
    return {
        "connections": count,
        "closed": closed,
        "alone_p50_ms": statistics.median(alone) * 1000,
        "alone_p99_ms": percentile(alone, 99) * 1000,
        "beside_p50_ms": statistics.median(beside) * 1000,
        "beside_p99_ms": percentile(beside, 99) * 1000,
    }


def _connect(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=60)


def _is_closed(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        connection.recv(1)
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
    return True


def _raise_file_limit(needed: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
