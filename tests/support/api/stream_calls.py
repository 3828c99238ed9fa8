"""Words for what the tests do with streamed answers."""

import json
import socket
from typing import Any
from urllib.parse import urlsplit

from support.api.batch_calls import asking, text_of
from support.api.local_server import LocalServer
from support.waiting import PATIENCE_SECONDS


def events_of(body: str) -> list[dict[str, Any]]:
    """Return the chunks of an event stream, which must have nothing else in it."""
    *events, end = body.split("\r\n\r\n")
    assert end == ""
    assert all(event.startswith("data: ") and "\n" not in event for event in events)
    return [json.loads(event.removeprefix("data: ")) for event in events]


def told(chunks: list[dict[str, Any]]) -> str:
    """Return the text of all chunks."""
    return "".join(map(text_of, chunks))


class RawStream:
    """A streamed call on a bare socket, read as far as the test wants."""

    def __init__(
        self, server: LocalServer, path: str, text: str, *, window_bytes: int | None = None
    ) -> None:
        address = urlsplit(server.url)
        self.connection = socket.socket()
        self.connection.settimeout(PATIENCE_SECONDS)
        if window_bytes is not None:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window_bytes)
        self.connection.connect((address.hostname, address.port))
        body = json.dumps(asking(text))
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nx-goog-api-key: any\r\n"
        self.connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        self.received = b""

    def read_until(self, end: bytes) -> bytes:
        """Return everything received so far, once `end` is in it."""
        while end not in self.received:
            more = self.connection.recv(65536)
            assert more, self.received
            self.received += more
        return self.received

    def close(self) -> None:
        self.connection.close()
