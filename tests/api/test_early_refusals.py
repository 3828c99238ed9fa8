"""A client that still sends gets the answer to its call, and not a reset."""

import contextlib
import http.client
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from support.api.local_server import LocalServer, echo_server
from support.waiting import PATIENCE_SECONDS
from toplu.settings.server import MIB

PATH = "/v1beta/models/echo"
KEY = {"x-goog-api-key": "any"}
RAW = "/upload/v1beta/files?uploadType=raw"
SESSION = "/upload/v1beta/files?upload_id="
PIECE = bytes(MIB)
BODY_BYTES = 16 * MIB  # more than both ends of a connection hold
REFUSALS = [
    (f"{PATH}:generateContent", {}, 403, "unregistered callers"),
    (f"{PATH}:generateContent", KEY, 400, "exceeds the limit"),
    (f"{PATH}:batchGenerateContent", KEY | {"Origin": "http://a.example"}, 403, "a.example"),
    ("/v1beta/models/missing:batchGenerateContent", KEY, 404, "missing"),
    ("/nothing", KEY, 404, "/nothing"),
    (f"{PATH}:generateContent", KEY | {"Content-Encoding": "br"}, 415, "br"),
    ("/upload/v1beta/files", KEY, 400, "Unknown upload protocol"),
    (f"{SESSION}missing", {"X-Goog-Upload-Command": "upload"}, 404, "upload"),
    (RAW, KEY | {"Content-Type": "a/b"}, 400, "Unsupported MIME type"),
    (RAW, KEY | {"Content-Type": "text/plain"}, 400, str(MIB)),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    folder = tmp_path_factory.mktemp("server")
    with echo_server(folder, inline_bytes_max=MIB, upload_bytes_max=MIB) as running:
        yield running


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """A server that does not read on for long."""
    folder = tmp_path_factory.mktemp("server")
    limits = {"unread_body_bytes_max": MIB, "unread_body_seconds_max": 0.2}
    with echo_server(folder, **limits) as running:
        yield running


@contextlib.contextmanager
def connected(server: LocalServer) -> Iterator[http.client.HTTPConnection]:
    """Yield one connection; a call after its end is an error."""
    address = urlsplit(server.url).netloc
    connection = http.client.HTTPConnection(address, timeout=PATIENCE_SECONDS)
    with contextlib.closing(connection):
        connection.connect()
        connection.auto_open = 0
        yield connection


def pieces() -> Iterator[bytes]:
    for _ in range(BODY_BYTES // MIB):
        yield PIECE


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
@pytest.mark.parametrize("kept", ["close", "keep-alive"])
@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal[3])
def test_a_client_that_sends_everything_first_gets_the_answer(
    server: LocalServer, refusal: tuple[str, dict[str, str], int, str], kept: str, declared: bool
) -> None:
    path, headers, status, words = refusal
    headers = headers | {"Connection": kept}
    if declared:
        headers["Content-Length"] = str(BODY_BYTES)
    with connected(server) as connection:
        connection.request("POST", path, pieces(), headers, encode_chunked=not declared)
        reply = connection.getresponse()
        text = reply.read().decode()
        assert (reply.status, reply.headers["Connection"]) == (status, "close"), text
        assert words in text


@pytest.mark.parametrize("path", ["/nothing", "/v1beta/batches/x:cancel"])
def test_a_connection_goes_on_after_a_short_body_that_nobody_read(
    server: LocalServer, path: str
) -> None:
    with connected(server) as connection:
        for _ in range(3):
            connection.putrequest("POST", path)
            connection.putheader("Content-Length", "60000")
            connection.putheader("x-goog-api-key", "any")
            connection.endheaders()
            reply = connection.getresponse()
            assert (reply.status, reply.headers["Connection"]) == (404, None)
            reply.read()
            connection.send(bytes(60_000))
        connection.request("GET", "/healthz")
        assert connection.getresponse().status == 200


@contextlib.contextmanager
def answered(server: LocalServer, name: str, value: str) -> Iterator[socket.socket]:
    """Begin a call that is answered at once, read the answer to its end, yield the connection."""
    with connected(server) as connection:
        connection.putrequest("POST", "/nothing")
        connection.putheader(name, value)
        connection.putheader("Expect", "100-continue")
        connection.endheaders()
        raw = connection.sock
        reply = connection.response_class(raw, method="POST")
        reply.begin()
        assert (reply.status, reply.headers["Connection"]) == (404, "close")
        assert b"/nothing" in reply.read()
        yield raw


ENDLESS = [("Content-Length", "99999999999"), ("Transfer-Encoding", "chunked")]


@pytest.mark.parametrize(("name", "value"), ENDLESS)
def test_a_client_that_sends_without_end_is_cut_off(
    impatient: LocalServer, name: str, value: str
) -> None:
    with answered(impatient, name, value) as raw:
        sent = 0
        with contextlib.suppress(ConnectionError):
            while sent < 1000:
                raw.sendall(b"100000\r\n" + PIECE + b"\r\n")
                sent += 1
        assert sent < 1000


@pytest.mark.parametrize(("name", "value"), [*ENDLESS, ("Content-Length", "5")])
def test_a_client_that_sends_no_more_is_closed_in_order(
    impatient: LocalServer, name: str, value: str
) -> None:
    with answered(impatient, name, value) as raw:
        assert raw.recv(1) == b""
