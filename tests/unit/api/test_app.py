"""Every reply passes the middleware, that of a call that crashed as well."""

from typing import Any, cast

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from toplu.api.app import protect
from toplu.api.http.error_responses import render
from toplu.api.http.identity import KeyIdentity
from toplu.settings.server import Settings

FRIEND = "https://app.example"
PIECES = 3


class NoKeys:
    async def accepts_any_key(self) -> bool:
        return True


async def crash(_request: Request) -> Response:
    raise ZeroDivisionError


async def test_a_call_that_crashes_is_answered_like_others() -> None:
    crashing = Starlette(
        routes=[Route("/v1beta/x", crash, methods=["POST"])], exception_handlers={Exception: render}
    )
    settings = Settings(allowed_origins=(FRIEND,))
    app = protect(crashing, settings=settings, identity=cast("KeyIdentity", NoKeys()))
    headers = {"host": "localhost", "origin": FRIEND, "transfer-encoding": "chunked"}
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1beta/x",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    read: list[int] = []
    sent: list[tuple[Any, int]] = []  # each with how much of the body had been read

    async def receive() -> Any:
        read.append(1)
        return {"type": "http.request", "body": b"x", "more_body": len(read) < PIECES}

    async def send(message: Any) -> None:
        sent.append((message, len(read)))

    with pytest.raises(ZeroDivisionError):  # for the log of the server
        await app(scope, receive, send)
    (start, _), (body, read_before), (end, read_at_end) = sent
    replied = {name.decode(): value.decode() for name, value in start["headers"]}
    assert start["status"] == 500
    assert replied["access-control-allow-origin"] == FRIEND
    assert replied["connection"] == "close"
    assert b'"INTERNAL"' in body["body"]
    assert (read_before, read_at_end) == (0, PIECES)
    assert (end["body"], end["more_body"]) == (b"", False)
