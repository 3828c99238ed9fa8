"""Callers without a key who mean no good cost the server little."""

import socket
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from support.model_tables import echo_model
from support.server import Server, started_server
from support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.system

HEADER = b"x-filler: " + b"y" * 60_000 + b"\r\n"
HEADERS = 200  # twelve megabytes
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


def connect(server: Server) -> socket.socket:
    address = urlsplit(server.url)
    return socket.create_connection((address.hostname, address.port), PATIENCE_SECONDS)


def test_a_call_whose_headers_do_not_end_is_cut_off(tmp_path: Path) -> None:
    with started_server(tmp_path, config=echo_model()) as server:
        sent = 0
        with connect(server) as caller:
            caller.sendall(b"GET /healthz HTTP/1.1\r\nHost: h\r\n")
            try:
                while sent < HEADERS:
                    caller.sendall(HEADER)
                    sent += 1
            except ConnectionError:
                pass
        assert sent < HEADERS
        assert server.call("GET", "/healthz").status == 200
        long_name = "/v1beta/batches/" + "x" * 30_000
        assert server.call("GET", long_name).status == 404


def test_a_call_whose_headers_do_not_come_is_ended(tmp_path: Path) -> None:
    with (
        started_server(tmp_path, config=echo_model(), header_seconds_max=0.2) as server,
        connect(server) as caller,
        connect(server) as silent,
    ):
        caller.sendall(HEALTH[:-2])
        assert caller.recv(4096).startswith(b"HTTP/1.1 408 ")
        assert caller.recv(4096) == b""
        assert silent.recv(4096) == b""


def test_connections_that_say_nothing_make_room_for_others(tmp_path: Path) -> None:
    with (
        started_server(
            tmp_path, config=echo_model(), connections_max=2, header_seconds_max=PATIENCE_SECONDS
        ) as server,
        ExitStack() as stack,
    ):
        silent = [stack.enter_context(connect(server)) for _ in range(20)]
        for caller in silent:
            caller.sendall(HEALTH[:-2])
        assert server.call("GET", "/healthz").status == 200
        for caller in silent[:18]:
            with suppress(ConnectionError):
                assert caller.recv(4096) == b""
