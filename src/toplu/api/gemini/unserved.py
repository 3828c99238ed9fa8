"""Paths that this server knows and does not serve: an error that names each.

Methods of the Gemini API are a 501. Names of Google's other API, which SDKs put into the path of a
cached content as they are given, are bad arguments, as on the hosted service.
"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from toplu.caches.violations import violation
from toplu.errors import Unimplemented

METHODS = {
    "/{version:version}/models/{model}:predict": ["POST"],
    "/{version:version}/models/{model}:predictLongRunning": ["POST"],
}
FOREIGN_NAMES = {
    f"/{{version:version}}/{collection}/{{rest:path}}": ["GET", "PATCH", "DELETE"]
    for collection in ("batchPredictionJobs", "locations", "projects")
}
PATHS = METHODS | FOREIGN_NAMES


def routes() -> list[Route]:
    """Return a route for each path; they shadow none that is served."""
    return [
        *(Route(path, _refuse_method, methods=methods) for path, methods in METHODS.items()),
        *(Route(path, _refuse_name, methods=methods) for path, methods in FOREIGN_NAMES.items()),
    ]


async def _refuse_method(request: Request) -> Response:
    raise Unimplemented(f"{request.method} {_path_of(request)} is not served by this server yet.")


async def _refuse_name(request: Request) -> Response:
    raise violation("name", f"{_path_of(request)} is no name of the form cachedContents/123.")


def _path_of(request: Request) -> str:
    """Return the path without its version."""
    return request.url.path.split("/", 2)[-1]
