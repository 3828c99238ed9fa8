"""Counts calls at the front door and how long they take, by their routes."""

import re
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from toplu.api.http.middleware.log_context import bind_trace
from toplu.metrics.measured import HTTP_REQUESTS, HTTP_SECONDS
from toplu.tracing import names
from toplu.tracing.spans import NOTHING, SPANS

CONVERTOR = re.compile(r":\w+}")
NO_ROUTE = "none"  # a path that nothing is at
UNANSWERED = 499  # the client has gone


class HttpTimes:
    """Middleware next to the routes, where the answer to an error is seen as well."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the call, and note its time and status."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.monotonic(), UNANSWERED

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        # Who polls makes no trace.
        traced = scope["method"] == "POST"
        with SPANS.called("call", scope["headers"]) if traced else NOTHING as span:
            bind_trace(scope)
            try:
                await self._app(scope, receive, note_status)
            except Exception:
                status = 500
                raise
            finally:
                route = _name_of(scope)
                HTTP_REQUESTS.labels(route, str(status)).inc()
                HTTP_SECONDS.labels(route).observe(time.monotonic() - begun)
                span.rename(route)
                span.note(names.STATUS, status)


def _name_of(scope: Scope) -> str:
    route = scope.get("route")
    if route is None:
        return NO_ROUTE
    path: str = CONVERTOR.sub("}", route.path)
    return f"{scope['method']} {path}"
