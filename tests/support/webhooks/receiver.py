"""A receiver of webhooks that answers as a test says: well, badly, elsewhere, or not at all."""

import ssl
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from support.waiting import PATIENCE_SECONDS

HANG = "hang"  # take the body, and say nothing


@dataclass(frozen=True)
class Received:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Said:
    """An answer that is more than a status."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


class Receiver:
    """It gives the answers one after another, and the last one from then on."""

    def __init__(
        self,
        *answers: int | str | Said,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._answers = list(answers) or [200]
        self._changed = threading.Condition()
        self._released = threading.Event()
        self.received: list[Received] = []
        self._server = ThreadingHTTPServer((host, port), self._handler())
        self._server.daemon_threads = True
        self._tls = tls
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def uri(self) -> str:
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://{self._server.server_address[0]!s}:{self.port}/hook"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(PATIENCE_SECONDS)

    def wait_for(self, count: int = 1) -> list[Received]:
        """Return all that was received, when it is so many."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.received) >= count, PATIENCE_SECONDS)
            return list(self.received)

    def _take(self, received: Received) -> int | str | Said:
        with self._changed:
            self.received.append(received)
            self._changed.notify_all()
            return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                answer = receiver._take(Received(self.path, headers, body))
                if answer == HANG:
                    receiver._released.wait(PATIENCE_SECONDS)
                    return
                said = answer if isinstance(answer, Said) else Said(int(answer))
                self.send_response(said.status)
                for name, value in said.headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(said.body)))
                self.end_headers()
                self.wfile.write(said.body)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler
