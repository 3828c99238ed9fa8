"""An upload that a stopped or killed server interrupted goes on where it was."""

import base64
import hashlib
import socket
from pathlib import Path

import pytest

from support.jobs import (
    check_every_request_has_one_outcome,
    create_job_from,
    json_lines,
    question,
    results_of,
    send_chunk,
    start_upload,
)
from support.model_tables import echo_model
from support.server import Server, started_server
from support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.system

MIB = 1024 * 1024
CHUNK_BYTES = 2 * MIB
REQUESTS = 3000
CONTENT = json_lines(
    [question(index, f"Question {index}. " + "x" * 2000) for index in range(REQUESTS)]
)


def test_an_upload_goes_on_after_a_restart(tmp_path: Path) -> None:
    with started_server(tmp_path, config=echo_model()) as server:
        session = start_upload(server, len(CONTENT))
        reply = send_chunk(server, session, 0, CONTENT[:CHUNK_BYTES], "upload")
        assert reply.headers["x-goog-upload-status"] == "active"
        server.restart()
        assert received_bytes(server, session) == CHUNK_BYTES
        finish(server, session, CHUNK_BYTES)


def test_an_upload_goes_on_after_a_kill_in_the_middle_of_a_chunk(tmp_path: Path) -> None:
    with started_server(tmp_path, config=echo_model()) as server:
        session = start_upload(server, len(CONTENT))
        reply = send_chunk(server, session, 0, CONTENT[:CHUNK_BYTES], "upload")
        assert reply.status == 200
        with half_sent_chunk(server, session):
            server.kill()
        server.start()
        received = received_bytes(server, session)
        assert CHUNK_BYTES <= received < 2 * CHUNK_BYTES
        finish(server, session, received)


def test_a_chunk_that_is_sent_again_after_a_lost_reply_is_taken_once(tmp_path: Path) -> None:
    with started_server(tmp_path, config=echo_model()) as server:
        session = start_upload(server, len(CONTENT))
        for _ in range(2):
            reply = send_chunk(server, session, 0, CONTENT[:CHUNK_BYTES], "upload")
            assert reply.headers["x-goog-upload-size-received"] == str(CHUNK_BYTES)
            server.kill()
            server.start()
        finish(server, session, CHUNK_BYTES)


def received_bytes(server: Server, session: str) -> int:
    reply = server.call("POST", session, headers={"X-Goog-Upload-Command": "query"})
    assert reply.status == 200, reply.body
    assert reply.headers["x-goog-upload-status"] == "active"
    return int(reply.headers["x-goog-upload-size-received"])


def finish(server: Server, session: str, offset: int) -> None:
    """Send the rest, and check that the file is whole and of use."""
    reply = send_chunk(server, session, offset, CONTENT[offset:], "upload, finalize")
    assert reply.status == 200, reply.body
    assert reply.headers["x-goog-upload-status"] == "final"
    file = reply.json()["file"]
    digest = hashlib.sha256(CONTENT).hexdigest().encode()
    assert file["sha256Hash"] == base64.b64encode(digest).decode()
    assert file["sizeBytes"] == str(len(CONTENT))
    again = server.call("POST", session, headers={"X-Goog-Upload-Command": "query"})
    assert again.headers["x-goog-upload-status"] == "final"
    assert again.json()["file"] == file
    results = results_of(server, create_job_from(server, file["name"]))
    check_every_request_has_one_outcome(results, REQUESTS)


def half_sent_chunk(server: Server, session: str) -> socket.socket:
    """Return a connection on which half of the second chunk has been sent and read."""
    chunk = CONTENT[CHUNK_BYTES : 2 * CHUNK_BYTES]
    head = (
        f"POST {session} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
        f"Content-Length: {len(chunk)}\r\nX-Goog-Upload-Command: upload\r\n"
        f"X-Goog-Upload-Offset: {CHUNK_BYTES}\r\n\r\n"
    )
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS)
    connection.sendall(head.encode() + chunk[: CHUNK_BYTES // 2])
    # The server answers others while it waits for the rest, so it has begun to read.
    assert server.call("GET", "/readyz").status == 200
    return connection
