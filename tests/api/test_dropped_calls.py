"""Interactive calls on a full engine: one that goes away makes room, one too late gets an error."""

import json
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from support.api.batch_calls import asking
from support.api.local_server import LocalServer, OpenServer, http_of
from support.waiting import PATIENCE_SECONDS, eventually
from toplu.fleet.work import Tier
from toplu.settings.server import EchoSettings, ModelSettings

# It holds its one lane for an hour, except for a request that brings it down at once.
SLOW = ModelSettings(
    name="slow",
    engine="echo",
    lanes=1,
    echo=EchoSettings(delay_seconds=3600, crash_pattern="please crash"),
)
GENERATE = "/v1beta/models/slow:generateContent"
COUNT = "/v1beta/models/slow:countTokens"


@pytest.fixture
def sockets() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def call(server: LocalServer, sockets: ExitStack, path: str = GENERATE) -> socket.socket:
    """Send a call and leave it at that."""
    address = urlsplit(server.url)
    connection = socket.create_connection((address.hostname, address.port), PATIENCE_SECONDS)
    sockets.enter_context(connection)
    body = json.dumps(asking("x"))
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nx-goog-api-key: any\r\n"
    connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
    return connection


def places_taken(server: LocalServer) -> int:
    return server.server.fleet.pool("slow")._slots.taken


def calls_waiting(server: LocalServer) -> int:
    return server.server.fleet.pool("slow")._wait_limits[Tier.STANDARD]._waiting


def slow_server(open_test_server: OpenServer, **settings: int) -> LocalServer:
    server = open_test_server(models=(SLOW,), **settings)
    with http_of(server) as http:
        eventually(lambda: http.get("/readyz").status_code == 200)
    return server


def test_a_client_that_goes_away_frees_the_lane(
    open_test_server: OpenServer, sockets: ExitStack
) -> None:
    server = slow_server(open_test_server, engine_crashes_per_request_max=1)
    dropped = call(server, sockets)
    eventually(lambda: places_taken(server) == 1)
    dropped.close()
    with http_of(server) as http:
        # It reaches the engine only when the lane is free, and then does not take an hour.
        reply = http.post(GENERATE, json=asking("please crash"), timeout=PATIENCE_SECONDS)
        assert reply.status_code == 500
        assert "crashed 1 times on this request" in reply.json()["error"]["message"]


def test_a_client_that_goes_away_frees_its_place_in_the_queue(
    open_test_server: OpenServer, sockets: ExitStack
) -> None:
    server = slow_server(open_test_server, interactive_waiting_max=1)
    running = call(server, sockets)
    eventually(lambda: places_taken(server) == 1)
    waiting = call(server, sockets)
    eventually(lambda: calls_waiting(server) == 1)
    with http_of(server) as http:
        assert http.post(GENERATE, json=asking("x")).status_code == 503
        waiting.close()
        eventually(lambda: calls_waiting(server) == 0)
        running.close()
        eventually(lambda: places_taken(server) == 0)
        assert http.post(COUNT, json=asking("x")).status_code == 200


def test_a_call_too_many_is_answered_that_the_model_is_overloaded(
    open_test_server: OpenServer, sockets: ExitStack
) -> None:
    server = slow_server(open_test_server, interactive_waiting_max=2)
    # One runs, two wait; whichever of the four comes last is refused.
    calls = [call(server, sockets) for _ in range(4)]
    answered, _, _ = select.select(calls, [], [], PATIENCE_SECONDS)
    assert len(answered) == 1
    head, _, body = answered[0].recv(65536).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ")
    assert json.loads(body or answered[0].recv(65536)) == {
        "error": {
            "code": 503,
            "message": "The model is overloaded. Please try again later.",
            "status": "UNAVAILABLE",
        }
    }
    # Nobody else lost their place.
    assert select.select([each for each in calls if each not in answered], [], [], 0)[0] == []
