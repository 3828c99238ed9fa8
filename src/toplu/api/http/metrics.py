"""`/metrics`: the figures of a server, in the text that Prometheus reads."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from toplu.api.http.identity import KeyIdentity
from toplu.errors import PermissionDenied
from toplu.metrics.exposition import CONTENT_TYPE
from toplu.monitoring.exporter import Exporter

PATH = "/metrics"
NOT_HERE = (
    "Figures of all projects are for operators: give an operator's key, or set metrics_port and "
    "ask there."
)


class Metrics:
    """Handlers of the path, for those who may see the figures of all projects."""

    def __init__(self, exporter: Exporter) -> None:
        self._exporter = exporter

    def routes(self) -> list[Route]:
        """Return the route of a port or a socket that only those reach."""
        return [Route(PATH, self.show, methods=["GET"])]

    def front_routes(self, identity: KeyIdentity) -> list[Route]:
        """Return the route of the front door."""
        return [Route(PATH, _for_operators(self.show, identity), methods=["GET"])]

    async def show(self, request: Request) -> Response:  # noqa: ARG002  # Starlette's signature
        """Answer with all figures."""
        return Response(await self._exporter.text(), headers={"Content-Type": CONTENT_TYPE})


Endpoint = Callable[[Request], Awaitable[Response]]


def _for_operators(show: Endpoint, identity: KeyIdentity) -> Endpoint:
    async def answer(request: Request) -> Response:
        if not await identity.opens_all_projects(request):
            raise PermissionDenied(NOT_HERE)
        return await show(request)

    return answer
