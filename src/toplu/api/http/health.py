"""Health: whether the process lives, and whether it is ready for work."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from toplu.api.http.responses import json_response
from toplu.fleet.fleet import Fleet


class Health:
    """Handlers of `/healthz` and `/readyz`."""

    def __init__(self, *, fleet: Fleet, is_draining: Callable[[], bool]) -> None:
        self._fleet = fleet
        self._is_draining = is_draining

    def routes(self) -> list[Route]:
        return [
            Route("/healthz", self.live, methods=["GET"]),
            Route("/readyz", self.ready, methods=["GET"]),
        ]

    async def live(self, request: Request) -> Response:
        """Answer 200: the process is up and its event loop turns."""
        return await json_response(request, {"status": "ok"})

    async def ready(self, request: Request) -> Response:
        """Answer 200 when the engines are ready and the server is not draining, else 503.

        A lazy engine is listed and not waited for: whatever becomes of it, the others work.
        """
        engines = self._fleet.status()
        draining = self._is_draining()
        ready = not draining and self._fleet.is_ready
        body: dict[str, Any] = {
            "status": "draining" if draining else "ready" if ready else "starting",
            "engines": engines,
        }
        if reasons := self._fleet.reasons():
            body["reasons"] = reasons
        return await json_response(request, body, status=200 if ready else 503)
