"""Gives every answer an id, by which a client may ask about it, and how long it took."""

import time

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from toplu.api.http.identity import CALL_ID
from toplu.clock import random_id

ID_HEADER = "x-request-id"
TIME_HEADER = "openai-processing-ms"
PREFIX = "req_"
ID_LENGTH = 24


class RequestIds:
    """Writes the headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the call, with its id among the headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.monotonic()
        request_id = PREFIX + random_id(ID_LENGTH)
        scope[CALL_ID] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers[ID_HEADER] = request_id
                headers[TIME_HEADER] = str(round(1000 * (time.monotonic() - begun)))
            await send(message)

        await self._app(scope, receive, send_with_id)
