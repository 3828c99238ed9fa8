"""A worker's answer comes through its socket as it is; a client that goes ends it over there."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from toplu.api.doors import connections
from toplu.api.doors.forwarded_call import DoorBroke, DoorClosed
from toplu.api.doors.socket_door import SocketDoor
from toplu.errors import Cancelled
from toplu.serving.http import HttpServer
from toplu.wiring.http_server import door_config

SCOPE = {
    "type": "http",
    "method": "POST",
    "path": "/v1beta/models/ä:generateContent",
    "raw_path": b"/v1beta/models/%C3%A4:generateContent",
    "query_string": b"alt=sse",
    "headers": [(b"x-toplu-project", b"alpha")],
}


@pytest.fixture
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("d") / "door"


@asynccontextmanager
async def served(app: ASGIApp, path: Path) -> AsyncIterator[HttpServer]:
    """Yield a server of the application on the socket."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    listener.setblocking(False)
    http = HttpServer(door_config(app))
    serving = asyncio.ensure_future(http.serve(sockets=[listener]))
    await http.listening.wait()
    yield http
    http.should_exit = http.force_exit = True
    await serving


@asynccontextmanager
async def door_to(path: Path) -> AsyncIterator[SocketDoor]:
    door = SocketDoor(str(path))
    yield door
    await door.close()


class Client:
    """Sends one call and keeps the answer."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.gone = asyncio.Event()
        self.got_some = asyncio.Event()
        self._is_asked = False

    async def receive(self) -> Any:
        if not self._is_asked:
            self._is_asked = True
            return {"type": "http.request", "body": b"asked", "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)
        if message.get("body"):
            self.got_some.set()

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


def answering(write: Callable[[Scope, bytes, Send], Awaitable[None]]) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body = (await receive())["body"]
        headers = [(b"retry-after", b"7"), (b"content-type", b"text/x")]
        await send({"type": "http.response.start", "status": 429, "headers": headers})
        await write(scope, body, send)

    return app


async def test_an_answer_comes_as_it_is(path: Path) -> None:
    seen: list[Scope] = []

    async def write(scope: Scope, body: bytes, send: Send) -> None:
        seen.append(scope)
        await send({"type": "http.response.body", "body": body + b"!"})

    client = Client()
    async with served(answering(write), path), door_to(path) as door:
        await door(SCOPE, client.receive, client.send)
    assert (seen[0]["path"], seen[0]["query_string"]) == (SCOPE["path"], b"alt=sse")
    asked = dict(seen[0]["headers"])
    assert asked.pop(b"x-toplu-project") == b"alpha"
    assert asked.keys() == {b"host", b"content-length"}
    assert client.sent[0]["status"] == 429
    headers = dict(client.sent[0]["headers"])
    assert (headers[b"retry-after"], headers[b"content-type"]) == (b"7", b"text/x")
    assert b"transfer-encoding" not in headers
    assert client.body == b"asked!"
    assert client.sent[-1]["more_body"] is False


async def test_each_piece_is_there_before_the_next_one_is_made(path: Path) -> None:
    client = Client()

    async def write(_scope: Scope, _body: bytes, send: Send) -> None:
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        await client.got_some.wait()
        await send({"type": "http.response.body", "body": b"two"})

    async with served(answering(write), path), door_to(path) as door:
        await door(SCOPE, client.receive, client.send)
    assert client.body == b"onetwo"


async def test_a_client_that_goes_away_ends_the_call_over_there(path: Path) -> None:
    ended = asyncio.Event()
    client = Client()

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        client.gone.set()
        while (await receive())["type"] != "http.disconnect":
            pass
        ended.set()

    async with served(app, path), door_to(path) as door:
        with pytest.raises(Cancelled):
            await door(SCOPE, client.receive, client.send)
        await ended.wait()


async def test_nobody_behind_the_socket(path: Path) -> None:
    client = Client()
    async with door_to(path) as door:
        with pytest.raises(DoorClosed):
            await door(SCOPE, client.receive, client.send)
    assert client.sent == []


async def test_a_worker_that_ends_before_it_answers(path: Path) -> None:
    http: HttpServer

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        for connection in http.server_state.connections:
            connection.transport.abort()

    client = Client()
    async with served(app, path) as http, door_to(path) as door:
        with pytest.raises(DoorClosed):
            await door(SCOPE, client.receive, client.send)


async def test_a_worker_that_ends_in_the_middle(path: Path) -> None:
    http: HttpServer
    client = Client()

    async def write(_scope: Scope, _body: bytes, send: Send) -> None:
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        await client.got_some.wait()
        for connection in http.server_state.connections:
            connection.transport.abort()

    async with served(answering(write), path) as http, door_to(path) as door:
        with pytest.raises(DoorBroke):
            await door(SCOPE, client.receive, client.send)
    assert client.body == b"one"


async def test_another_user_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise AssertionError("the call is answered")

    monkeypatch.setattr(connections, "peer_of", lambda _: os.getuid() + 1)
    client = Client()
    async with served(app, path), door_to(path) as door:
        with pytest.raises(DoorClosed):
            await door(SCOPE, client.receive, client.send)
