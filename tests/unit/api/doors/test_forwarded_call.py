"""The front door hands a call on: with its project, without its key, to the first door open."""

from typing import Any

import pytest
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from toplu.api.doors.forwarded_call import DoorClosed, ForwardedCall
from toplu.api.http.identity import PROJECT_HEADER, ForwardedIdentity
from toplu.errors import NoWorker, PermissionDenied
from toplu.job import ProjectId

PROJECT = ProjectId("alpha")
SCOPE = {
    "type": "http",
    "method": "POST",
    "path": "/v1beta/models/x:streamGenerateContent",
    "query_string": b"alt=sse&key=secret&access_token=secret",
    "headers": [
        (b"content-type", b"application/json"),
        (b"x-goog-api-key", b"secret"),
        (b"authorization", b"Bearer secret"),
        (PROJECT_HEADER.encode(), b"beta"),
    ],
}


async def closed(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise DoorClosed


class OpenDoor:
    """Answers, and keeps what it was asked."""

    def __init__(self) -> None:
        self.scope: Scope = {}
        self.heard: list[Any] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.heard = [await receive(), await receive()]
        await send({"type": "http.response.start", "status": 200, "headers": []})


async def forward(*doors: ASGIApp) -> list[Any]:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await ForwardedCall(doors, PROJECT, b"{}")(SCOPE, receive, send)
    return sent


async def test_a_call_comes_with_its_project_and_without_its_key() -> None:
    door = OpenDoor()
    assert len(await forward(door)) == 1
    assert "secret" not in str(door.scope)
    assert door.scope["query_string"] == b"alt=sse"
    assert Request(door.scope).headers.getlist(PROJECT_HEADER) == [PROJECT]
    assert await ForwardedIdentity().project_of(Request(door.scope)) == PROJECT
    assert door.heard == [
        {"type": "http.request", "body": b"{}", "more_body": False},
        {"type": "http.disconnect"},
    ]


async def test_the_next_door_is_asked_where_one_is_closed() -> None:
    assert len(await forward(closed, OpenDoor())) == 1


async def test_where_all_are_closed_the_client_is_told_to_come_again() -> None:
    with pytest.raises(NoWorker) as caught:
        await forward(closed, closed)
    assert caught.value.http_status == 503
    assert caught.value.retry_seconds == 1


async def test_a_call_without_a_project_came_past_the_front_door() -> None:
    with pytest.raises(PermissionDenied):
        await ForwardedIdentity().project_of(Request({**SCOPE, "headers": []}))
