"""A server's memory does not grow with what is uploaded to it."""

import base64
import hashlib
from pathlib import Path

import pytest
from jobs import send_chunk, start_upload

from model_tables import echo_model
from server import started_server

MIB = 1024 * 1024
CHUNK_BYTES = 8 * MIB
UPLOAD_BYTES = 2048 * MIB
MEMORY_BYTES_MAX = 150 * MIB


@pytest.mark.slow
def test_an_upload_of_two_gigabytes_needs_little_memory(tmp_path: Path) -> None:
    line = b'{"contents": [{"parts": [{"text": "' + b"x" * 900 + b'"}]}]}\n'
    chunk = (line * (CHUNK_BYTES // len(line))).ljust(CHUNK_BYTES, b"\n")
    digest = hashlib.sha256()
    with started_server(tmp_path, config=echo_model()) as server:
        session = start_upload(server, UPLOAD_BYTES)
        for offset in range(0, UPLOAD_BYTES, CHUNK_BYTES):
            is_last = offset + CHUNK_BYTES == UPLOAD_BYTES
            command = "upload, finalize" if is_last else "upload"
            reply = send_chunk(server, session, offset, chunk, command)
            assert reply.status == 200, reply.body
            digest.update(chunk)
        expected = base64.b64encode(digest.hexdigest().encode()).decode()
        assert reply.json()["file"]["sha256Hash"] == expected
        peak_bytes = server.memory_peak_bytes()
    print(f"peak memory of the server: {peak_bytes / MIB:.0f} MiB")
    assert peak_bytes < MEMORY_BYTES_MAX
