"""Callers without a key who mean no good cost the server little."""

import socket
from pathlib import Path
from urllib.parse import urlsplit

from support.model_tables import echo_model
from support.server import started_server
from support.waiting import PATIENCE_SECONDS

HEADER = b"x-filler: " + b"y" * 60_000 + b"\r\n"
HEADERS = 200  # twelve megabytes


def test_a_call_whose_headers_do_not_end_is_cut_off(tmp_path: Path) -> None:
    with started_server(tmp_path, config=echo_model()) as server:
        address = urlsplit(server.url)
        sent = 0
        with socket.create_connection((address.hostname, address.port), PATIENCE_SECONDS) as caller:
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
