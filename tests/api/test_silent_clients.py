"""Clients that say nothing, or take nothing, hold nothing that others need."""

import contextlib
import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from support.api.batch_calls import asking
from support.api.local_server import ECHO, SLOW, LocalServer, OpenServer, http_of
from support.api.stream_calls import RawStream
from support.api.upload_calls import upload_raw
from support.waiting import PATIENCE_SECONDS, eventually
from toplu.settings.server import MIB, EchoSettings, ModelSettings

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
GENERATE = "POST /v1beta/models/{}:generateContent HTTP/1.1\r\nHost: localhost\r\n"
FILE_BYTES = 32 * MIB  # more than both ends of a connection hold


@pytest.fixture
def sockets() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def connect(server: LocalServer, sockets: ExitStack, *, window_bytes: int = 0) -> socket.socket:
    address = urlsplit(server.url)
    raw = sockets.enter_context(socket.socket())
    raw.settimeout(PATIENCE_SECONDS)
    if window_bytes:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window_bytes)
    raw.connect((address.hostname, address.port))
    return raw


def generate(model: str, *, body: bytes | None = None) -> bytes:
    """Return a call, or its head alone where its body is left to the test."""
    content = json.dumps(asking("hello")).encode()
    head = f"{GENERATE.format(model)}x-goog-api-key: any\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + (content if body is None else body)


def rest_of(raw: socket.socket) -> bytes:
    """Return what comes until the server closes."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while more := raw.recv(1 << 20):
            received += more
    return received


def read_health(raw: socket.socket) -> None:
    raw.sendall(HEALTH)
    received = b""
    while b'"ok"' not in received:
        more = raw.recv(4096)
        assert more, received
        received += more


# Heads that do not come


@pytest.fixture
def hasty(open_test_server: OpenServer) -> LocalServer:
    slow = ModelSettings(name="slow", engine="echo", echo=EchoSettings(delay_seconds=1.0))
    return open_test_server(models=(ECHO, slow), header_seconds_max=0.2)


@pytest.mark.parametrize("begun", [b"", b"\r\n", b"\r\n\r\n"])
def test_a_connection_without_a_call_is_closed(
    hasty: LocalServer, sockets: ExitStack, begun: bytes
) -> None:
    raw = connect(hasty, sockets)
    raw.sendall(begun)
    assert rest_of(raw) == b""


@pytest.mark.parametrize("before", [b"", HEALTH])
@pytest.mark.parametrize("begun", [b"G", HEALTH[:-2], b"POST / HTTP/1.1\r\nContent-Length: 5\r\nX"])
def test_a_head_that_does_not_end_is_answered_with_408(
    hasty: LocalServer, sockets: ExitStack, before: bytes, begun: bytes
) -> None:
    raw = connect(hasty, sockets)
    if before:
        read_health(raw)
    raw.sendall(begun)
    answer = rest_of(raw)
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"Connection: close" in head
    error = json.loads(body)["error"]
    assert (error["code"], error["status"]) == (408, "DEADLINE_EXCEEDED")
    assert "0.2 seconds" in error["message"]


def test_a_call_that_takes_longer_than_its_head_may_is_answered(
    hasty: LocalServer, sockets: ExitStack
) -> None:
    raw = connect(hasty, sockets)
    raw.sendall(generate("slow"))
    assert b"200 OK" in raw.recv(4096)


def test_a_body_may_come_later_than_a_head(hasty: LocalServer, sockets: ExitStack) -> None:
    raw = connect(hasty, sockets)
    call = generate("echo")
    raw.sendall(call[:-5])
    # As long as the server waits for a head.
    assert rest_of(connect(hasty, sockets)) == b""
    raw.sendall(call[-5:])
    assert b"200 OK" in raw.recv(4096)


def test_what_is_no_http_is_answered_as_the_api_does(
    hasty: LocalServer, sockets: ExitStack
) -> None:
    raw = connect(hasty, sockets)
    raw.sendall(b"hello\r\n\r\n")
    answer = rest_of(raw)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b'"INVALID_ARGUMENT"' in answer


# Connections that are all taken


def test_a_new_connection_takes_the_place_of_the_one_that_was_silent_longest(
    open_test_server: OpenServer, sockets: ExitStack
) -> None:
    server = open_test_server(connections_max=3, header_seconds_max=PATIENCE_SECONDS)
    first, second, third = (connect(server, sockets) for _ in range(3))
    read_health(connect(server, sockets))
    assert rest_of(first) == b""
    read_health(connect(server, sockets))
    assert rest_of(second) == b""
    read_health(third)


@pytest.mark.parametrize("begun", [b"", b"POST / HTTP/1.1\r\nX", generate("echo", body=b"{")])
def test_a_slow_sender_leaves_room(
    open_test_server: OpenServer, sockets: ExitStack, begun: bytes
) -> None:
    server = open_test_server(connections_max=2, header_seconds_max=PATIENCE_SECONDS)
    for _ in range(10):
        connect(server, sockets).sendall(begun)
        read_health(connect(server, sockets))


def is_answered(server: LocalServer) -> bool:
    """Return whether a new connection gets something else than a 503."""
    with ExitStack() as sockets, contextlib.suppress(ConnectionError):
        raw = connect(server, sockets)
        raw.sendall(HEALTH)
        return b"200 OK" in raw.recv(4096)
    return False


def begin_download(server: LocalServer, sockets: ExitStack) -> socket.socket:
    """Ask for a file that is more than both ends of a connection hold, and read little of it."""
    with http_of(server) as http:
        name = upload_raw(http, bytes(FILE_BYTES))["name"]
    raw = connect(server, sockets, window_bytes=65536)
    path = f"/v1beta/{name}:download?alt=media&key=any"
    raw.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert raw.recv(100).startswith(b"HTTP/1.1 200 OK")
    return raw


def test_a_slow_reader_leaves_room(open_test_server: OpenServer, sockets: ExitStack) -> None:
    server = open_test_server(connections_max=1)
    raw = begin_download(server, sockets)
    eventually(lambda: is_answered(server))
    assert len(rest_of(raw)) < FILE_BYTES


def test_a_call_that_is_being_answered_keeps_its_connection(
    open_test_server: OpenServer, sockets: ExitStack
) -> None:
    server = open_test_server(models=(SLOW,), connections_max=1)
    raw = connect(server, sockets)
    raw.sendall(generate("slow"))
    eventually(lambda: slots_taken(server) == 1)
    answer = rest_of(connect(server, sockets))
    assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b'"UNAVAILABLE"' in answer
    assert not is_answered(server)
    assert slots_taken(server) == 1
    raw.close()
    eventually(lambda: is_answered(server))


# Answers that are not taken


def slots_taken(server: LocalServer) -> int:
    return server.server.fleet.pool("slow")._slots.taken


def test_an_answer_that_nobody_takes_is_dropped(
    open_test_server: OpenServer, sockets: ExitStack
) -> None:
    server = open_test_server(stream_stall_seconds_max=0.2)
    raw = begin_download(server, sockets)
    eventually(lambda: server.open_connections == 0)
    assert len(rest_of(raw)) < FILE_BYTES


def test_a_stream_leaves_its_lane_though_its_client_reads_nothing(
    open_test_server: OpenServer, sockets: ExitStack
) -> None:
    quick = ModelSettings(name="slow", engine="echo", lanes=1)
    server = open_test_server(models=(quick,), unsent_bytes_max=64 * MIB)
    path = "/v1beta/models/slow:streamGenerateContent"
    # More than all buffers between the two take, but for that of the server.
    raw = RawStream(server, path, f"{'x' * 100_000} " * 150, window_bytes=65536)
    sockets.callback(raw.close)
    with http_of(server) as http:
        generate = "/v1beta/models/slow:generateContent"
        assert http.post(generate, json=asking("hello")).status_code == 200
    received = raw.read_until(b"]\r\n0\r\n\r\n")
    assert received.count(b'"text":"xxx') == 150
