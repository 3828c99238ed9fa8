"""Health: whether the process lives, and whether it is ready for work."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from toplu.api.http.responses import json_response
from toplu.replica import EngineState
from toplu.settings.server import Settings
from toplu.workers.roster import Roster


class Health:
    """Handlers of `/healthz` and `/readyz`."""

    def __init__(
        self, *, settings: Settings, roster: Roster, is_draining: Callable[[], bool]
    ) -> None:
        self._models = settings.models
        self._roster = roster
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

        One that is started when it is asked is listed and not waited for: the others work.
        """
        present = await self._roster.present()
        states = present.states()
        # An engine that no worker has will be started by one that comes.
        engines = {
            model.name: states.get(
                model.name, EngineState.IDLE if model.may_rest else EngineState.DOWN
            )
            for model in self._models
        }
        draining = self._is_draining()
        ready = not draining and all(
            model.lazy or model.may_rest or engines[model.name] is EngineState.READY
            for model in self._models
        )
        body: dict[str, Any] = {
            "status": "draining" if draining else "ready" if ready else "starting",
            "workers": len(present.workers),
            "engines": engines,
        }
        if reasons := present.reasons():
            body["reasons"] = reasons
        return await json_response(request, body, status=200 if ready else 503)
