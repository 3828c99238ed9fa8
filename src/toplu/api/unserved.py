"""Methods of the Gemini API that this server knows and does not serve: a 501 that names each."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from toplu.errors import Unimplemented

METHODS = {
    "/{version:version}/models/{model}:predict": ["POST"],
    "/{version:version}/models/{model}:predictLongRunning": ["POST"],
    "/{version:version}/files:register": ["POST"],
    "/{version:version}/webhooks": ["GET", "POST"],
    "/{version:version}/webhooks/{name}": ["GET", "POST", "PATCH", "DELETE"],
}


def routes() -> list[Route]:
    """Return a route for each method; they shadow none that is served."""
    return [Route(path, _refuse, methods=methods) for path, methods in METHODS.items()]


async def _refuse(request: Request) -> Response:
    path = request.url.path.split("/", 2)[-1]
    raise Unimplemented(f"{request.method} {path} is not served by this server yet.")
