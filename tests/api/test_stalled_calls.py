"""A client that falls silent in the middle of a call holds up neither itself nor the server."""

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from support.api.local_server import LocalServer, OpenServer, http_of
from support.api.upload_calls import STATUS, begin_upload, send
from support.waiting import PATIENCE_SECONDS


@pytest.fixture
def server(open_test_server: OpenServer) -> LocalServer:
    return open_test_server(body_silence_seconds_max=1.0)


def say(server: LocalServer, head: str, body: bytes) -> Iterator[socket.socket]:
    """Send what there is of a call, and keep the connection open."""
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port), PATIENCE_SECONDS) as connection:
        connection.sendall(
            f"{head}\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n".encode() + body
        )
        yield connection


def test_an_upload_goes_on_though_an_earlier_connection_hangs(server: LocalServer) -> None:
    with http_of(server) as http:
        url = begin_upload(http, 4)
        path = url.removeprefix(server.url)
        head = f"POST {path} HTTP/1.1\r\nX-Goog-Upload-Command: upload\r\nX-Goog-Upload-Offset: 0"
        for hanging in say(server, head, b"ab"):
            reply = send(http, url, "upload, finalize", b"abcd", offset=0)
            assert (reply.status_code, reply.headers[STATUS]) == (200, "final")
            told = hanging.recv(4096)
            assert told.startswith(b"HTTP/1.1 499")
            # Without the header a client tries again.
            assert STATUS.lower().encode() not in told.lower()


def test_a_call_whose_body_does_not_come_is_ended(server: LocalServer) -> None:
    head = "POST /v1beta/models/echo:generateContent HTTP/1.1\r\nx-goog-api-key: any"
    for hanging in say(server, head, b"{"):
        assert hanging.recv(4096).startswith(b"HTTP/1.1 499")
