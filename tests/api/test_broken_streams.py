"""Streams that do not come to their end: the engine dies, or the client goes away or stalls."""

import contextlib
import select
from collections.abc import Iterator
from contextlib import ExitStack

import httpx2 as httpx
import pytest
from google.genai import errors

from support.api.batch_calls import asking, text_of
from support.api.local_server import LocalServer, OpenServer, client_of, http_of
from support.api.stream_calls import RawStream
from support.waiting import PATIENCE_SECONDS, eventually
from toplu.settings.server import EchoSettings, ModelSettings

# An hour after each word; two lanes, so that another request can bring it down meanwhile.
SLOW = ModelSettings(
    name="slow",
    engine="echo",
    lanes=2,
    echo=EchoSettings(word_seconds=3600, crash_pattern="please crash"),
)
STREAM = "/v1beta/models/slow:streamGenerateContent"
EVENTS = f"{STREAM}?alt=sse"
GENERATE = "/v1beta/models/slow:generateContent"


@pytest.fixture
def sockets() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def server(open_test_server: OpenServer) -> LocalServer:
    running = open_test_server(models=(SLOW,), engine_crashes_per_request_max=1)
    with http_of(running) as http:
        eventually(lambda: http.get("/readyz").status_code == 200)
    return running


def stream(server: LocalServer, sockets: ExitStack, path: str, text: str = "one two") -> RawStream:
    raw = RawStream(server, path, text)
    sockets.callback(raw.close)
    return raw


def places_taken(server: LocalServer) -> int:
    return server.server.fleet.pool("slow")._slots.taken


def crash(http: httpx.Client) -> None:
    reply = http.post(GENERATE, json=asking("please crash"), timeout=PATIENCE_SECONDS)
    assert reply.status_code == 500


@pytest.mark.parametrize(("path", "end_of_chunk"), [(EVENTS, b"}\r\n\r\n"), (STREAM, b"}")])
def test_the_first_chunk_comes_before_there_is_a_second(
    server: LocalServer,
    http: httpx.Client,
    sockets: ExitStack,
    path: str,
    end_of_chunk: bytes,
) -> None:
    raw = stream(server, sockets, path)
    raw.read_until(b'"responseId"')
    received = raw.read_until(b'"' + end_of_chunk)
    assert received.startswith(b"HTTP/1.1 200 OK")
    assert b'"text":"one "' in received
    assert places_taken(server) == 1
    crash(http)
    ended = raw.read_until(b"\r\n0\r\n\r\n").removeprefix(received)
    assert b'{"error":{"code":503,"message":"The engine died in the middle of' in ended
    assert b"}" + end_of_chunk in ended
    assert b'"two"' not in ended
    eventually(lambda: places_taken(server) == 0)


def test_a_list_that_breaks_off_is_still_a_list(server: LocalServer, http: httpx.Client) -> None:
    with http.stream("POST", STREAM, json=asking("one two")) as reply:
        pieces = reply.iter_text()
        body = next(pieces)
        with http_of(server) as other:
            crash(other)
        body += "".join(pieces)
    first, last = httpx.Response(200, text=body).json()
    assert text_of(first) == "one "
    assert last["error"]["status"] == "UNAVAILABLE"


def test_the_sdk_raises_an_error_in_the_stream(server: LocalServer, http: httpx.Client) -> None:
    with contextlib.closing(client_of(server)) as client:
        chunks = client.models.generate_content_stream(model="slow", contents="one two")
        assert next(chunks).text == "one "
        crash(http)
        with pytest.raises(errors.APIError, match="in the middle of the answer") as raised:
            next(chunks)
    assert raised.value.code == 503


@pytest.mark.parametrize("path", [EVENTS, STREAM])
def test_a_client_that_goes_away_stops_the_work(
    server: LocalServer, sockets: ExitStack, path: str
) -> None:
    streams = [stream(server, sockets, path) for _ in range(SLOW.lanes)]
    for raw in streams:
        raw.read_until(b'"text":"one "')
    lanes = server.server.fleet.pool("slow")._supervisor._running.engine._running
    assert all(lane.locked() for lane in lanes)
    for raw in streams:
        raw.close()
    eventually(lambda: not any(lane.locked() for lane in lanes))
    assert places_taken(server) == 0


def test_a_client_of_the_sdk_that_stops_reading_stops_the_work(server: LocalServer) -> None:
    client = client_of(server)
    chunks = client.models.generate_content_stream(model="slow", contents="one two")
    assert next(chunks).text == "one "
    assert places_taken(server) == 1
    chunks.close()
    client.close()
    eventually(lambda: places_taken(server) == 0)


def test_a_client_that_takes_nothing_is_dropped(
    open_test_server: OpenServer, sockets: ExitStack
) -> None:
    quick = ModelSettings(name="slow", engine="echo", lanes=1)
    server = open_test_server(models=(quick,), stream_stall_seconds_max=0.2)
    # More than all buffers between the two take.
    raw = RawStream(server, STREAM, f"{'x' * 100_000} " * 150, window_bytes=65536)
    sockets.callback(raw.close)
    assert select.select([raw.connection], [], [], PATIENCE_SECONDS)[0]
    eventually(lambda: places_taken(server) == 0)
    # What it did not take was never made: the list has no end.
    received = b""
    while more := raw.connection.recv(1 << 20):
        received += more
    assert not received.endswith(b"]\r\n0\r\n\r\n")
    assert received.count(b'"responseId"') < 150
