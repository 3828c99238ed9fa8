"""Applications: routes behind what every call passes, at the front door and at a worker's."""

from collections.abc import Awaitable, Callable, Sequence

from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from toplu.api.http.error_responses import render
from toplu.api.http.identity import KeyIdentity
from toplu.api.http.middleware.browser_guard import BrowserGuard
from toplu.api.http.middleware.call_times import CallTimes
from toplu.api.http.middleware.content_encoding import DecodedBodies
from toplu.api.http.middleware.http_times import HttpTimes
from toplu.api.http.middleware.stalled_bodies import StalledBodies
from toplu.api.http.middleware.unread_bodies import UnreadBodies
from toplu.errors import TopluError
from toplu.settings.hosts import origin_of
from toplu.settings.server import Settings


class ApiVersion(Convertor[str]):
    """The versions of the Gemini API, all served alike: each SDK has its own default."""

    regex = "v1|v1beta|v1alpha"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("version", ApiVersion())  # before any route is made


Render = Callable[[Request, Exception], Awaitable[Response]]


def build_router(
    routes: Sequence[BaseRoute],
    *,
    body_silence_seconds_max: float,
    times: type[HttpTimes | CallTimes],
    render: Render = render,
) -> Starlette:
    """Return an application of these routes; one with a `:verb` stands before the one without.

    `render` answers with an error in the form of the API whose routes they are; `times` notes how
    long calls take.
    """
    app = Starlette(
        routes=routes,
        middleware=[
            Middleware(StalledBodies, seconds_max=body_silence_seconds_max),
            Middleware(DecodedBodies),
            Middleware(times),
        ],
        # Disks are full at times; what only Exception handles is raised and logged once more.
        exception_handlers=dict.fromkeys((HTTPException, TopluError, OSError, Exception), render),
    )
    # A path with one slash too many is nobody's: clients of this API expect JSON, not a redirect.
    app.router.redirect_slashes = False
    return app


def protect(app: ASGIApp, *, settings: Settings, identity: KeyIdentity) -> ASGIApp:
    """Return the application behind what every call and every reply passes, failures included."""
    if settings.allowed_origins:
        app = CORSMiddleware(
            app,
            allow_origins=[origin_of(origin) for origin in settings.allowed_origins],
            allow_methods=["*"],
            allow_headers=["*"],
            allow_private_network=True,
            expose_headers=["*"],
        )
    return UnreadBodies(
        BrowserGuard(app, settings=settings, accepts_any_key=identity.accepts_any_key),
        bytes_max=settings.unread_body_bytes_max,
        seconds_max=settings.unread_body_seconds_max,
    )
