"""Tells whose a call is: the project of its key, or the one that the front door found before.

    client ── key ──▶ front door ── project ──▶ a worker's door

The second is for sockets that only processes of this server can reach. A header of that name from
anybody else is never read, nor handed on.
"""

from typing import Protocol

from starlette.requests import Request

from toplu.errors import TYPE_PREFIX, InvalidArgument, PermissionDenied
from toplu.job import ProjectId
from toplu.projects.keys import Keys

PROJECT_HEADER = "x-toplu-project"
DEFAULT_PROJECT = ProjectId("default")

NO_KEY = (
    "Method doesn't allow unregistered callers (callers without established identity). "
    "Please use API Key or other form of API consumer identity to call this API."
)
BAD_KEY = "API key not valid. Please pass a valid API key."


class Identity(Protocol):
    """Tells whose a call is."""

    async def project_of(self, request: Request) -> ProjectId:
        """Return the project, or raise PermissionDenied or InvalidArgument."""
        ...


class KeyIdentity:
    """The project of the key that a client gives."""

    def __init__(self, *, keys: Keys, any_key_until_first: bool) -> None:
        self._keys = keys
        self._takes_any_key = any_key_until_first

    async def accepts_any_key(self) -> bool:
        """Return whether no key has been made yet, and any will do."""
        if self._takes_any_key and await self._keys.any_exist():
            # The first key ends this for good, even when it is revoked.
            self._takes_any_key = False
        return self._takes_any_key

    async def project_of(self, request: Request) -> ProjectId:
        key = _key_of(request)
        if not key:
            raise PermissionDenied(NO_KEY)
        if await self.accepts_any_key():
            return DEFAULT_PROJECT
        project = await self._keys.project_of(key)
        if project is not None:
            return project
        raise InvalidArgument(
            BAD_KEY,
            details=(
                {
                    "@type": f"{TYPE_PREFIX}ErrorInfo",
                    "reason": "API_KEY_INVALID",
                    "domain": "googleapis.com",
                    "metadata": {"service": "generativelanguage.googleapis.com"},
                },
                {
                    "@type": f"{TYPE_PREFIX}LocalizedMessage",
                    "locale": "en-US",
                    "message": BAD_KEY,
                },
            ),
        )


class ForwardedIdentity:
    """The project that the front door found."""

    async def project_of(self, request: Request) -> ProjectId:
        project = request.headers.get(PROJECT_HEADER)
        if not project:
            raise PermissionDenied(NO_KEY)
        return ProjectId(project)


def _key_of(request: Request) -> str | None:
    header = request.headers.get("x-goog-api-key")
    if header:
        return header
    if key := request.query_params.get("key"):
        return key
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
