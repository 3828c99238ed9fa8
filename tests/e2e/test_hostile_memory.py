"""No body makes the server take much more memory than its own length, and none takes long."""

import time
from pathlib import Path

import pytest

from support.model_tables import echo_model
from support.server import started_server

MIB = 1024 * 1024
BODY_BYTES = 8 * MIB
CALL_SECONDS_MAX = 30
MEMORY_BYTES_MAX = 500 * MIB  # strict and lenient readers hold a body as text and as values
GENERATE = "/v1beta/models/gemini-2.5-flash:generateContent"


def filled(begin: bytes, filler: bytes, end: bytes = b"") -> bytes:
    return begin + filler * ((BODY_BYTES - len(begin) - len(end)) // len(filler)) + end


BODIES = {
    "nesting": filled(b"", b"["),
    "objects": filled(b"", b'{"a":'),
    "escapes": filled(b'{"contents": "', b"\\u0041", b'"}'),
    "quotes": filled(b"{'contents': '", b"\\'", b"'}"),
    "names": filled(b"{", b'"a":1,', b'"b":1}'),
    "items": filled(b'{"contents": [', b"{},", b"{}]}"),
    "numbers": filled(b'{"contents": [', b"1,", b"1]}"),
    "one number": filled(b'{"contents": ', b"9", b"}"),
    "half": filled(b'{"contents": "', b"x"),
    "no text": filled(b"", b"\xff"),
}


@pytest.mark.slow
@pytest.mark.alone
def test_no_body_takes_much_memory_or_time(tmp_path: Path) -> None:
    with started_server(tmp_path, config=echo_model()) as server:
        for name, body in BODIES.items():
            began = time.monotonic()
            reply = server.call("POST", GENERATE, body)
            seconds = time.monotonic() - began
            assert reply.status == 400, (name, reply.body[:300])
            assert len(reply.body) < MIB, name
            assert seconds < CALL_SECONDS_MAX, name
            print(f"{name}: {seconds:.1f} s, {server.memory_peak_bytes() / MIB:.0f} MiB")
        assert server.memory_peak_bytes() < MEMORY_BYTES_MAX
