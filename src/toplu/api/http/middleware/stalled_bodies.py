"""Ends calls whose body stands still: a connection that broke silently is never heard of again."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from toplu.errors import Cancelled


class StalledBodies:
    """Middleware that bounds each wait for more of a body; what follows the body may take long."""

    def __init__(self, app: ASGIApp, *, seconds_max: float) -> None:
        self._app = app
        self._seconds_max = seconds_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_whole = False

        async def receive_in_time() -> Message:
            nonlocal is_whole
            if is_whole:
                return await receive()
            try:
                async with asyncio.timeout(self._seconds_max):
                    message = await receive()
            except TimeoutError as error:
                raise Cancelled(
                    f"No more of the request's body came for {self._seconds_max:g} seconds."
                ) from error
            is_whole = not message.get("more_body", False)
            return message

        await self._app(scope, receive_in_time, send)
