"""Ends work whose client has gone away."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import Request

from toplu.errors import Cancelled

T = TypeVar("T")


async def while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Return what the work returns; cancel it if the client goes away first."""

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        working.cancel()

    try:
        async with asyncio.TaskGroup() as group:
            working = group.create_task(work)
            watching = group.create_task(watch())
            working.add_done_callback(lambda _: watching.cancel())
    except ExceptionGroup as group_error:
        raise group_error.exceptions[0] from None
    if working.cancelled():
        raise Cancelled("The client closed the connection.")
    return working.result()
