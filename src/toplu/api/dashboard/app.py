"""The application of the page: its routes, and which calls are for it."""

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from toplu.api.dashboard.gate import show_error
from toplu.api.dashboard.rendering import STATIC
from toplu.api.http.middleware.stalled_bodies import StalledBodies
from toplu.errors import TopluError

FIRST, OTHERS = "/", "/ui/"
ICON = "/favicon.ico"  # which browsers ask for where a page names none


def build_dashboard(routes: Sequence[BaseRoute], *, body_silence_seconds_max: float) -> Starlette:
    """Return the application of these pages."""
    return Starlette(
        routes=[
            Mount("/ui/static", StaticFiles(directory=STATIC)),
            Route(ICON, show_icon, methods=["GET"]),
            *routes,
        ],
        middleware=[Middleware(StalledBodies, seconds_max=body_silence_seconds_max)],
        exception_handlers=dict.fromkeys(
            (HTTPException, TopluError, OSError, Exception), show_error
        ),
    )


async def show_icon(_request: Request) -> Response:
    """Answer with the sign in a browser's tab."""
    return FileResponse(f"{STATIC}/icon.svg")


class PageDispatch:
    """The page, and the APIs for every call that is not for it."""

    def __init__(self, *, page: ASGIApp, apis: ASGIApp) -> None:
        self._page = page
        self._apis = apis

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the call to the one that it is for."""
        path = scope.get("path", "")
        is_page = path in (FIRST, ICON) or path.startswith(OTHERS)
        await (self._page if is_page else self._apis)(scope, receive, send)
