"""Tells whose a call is: the project of its key, or the one that the front door found before.

    client ── key ──▶ front door ── project, actor ──▶ a worker's door

Both say in whose name the call acts from here on, for the audit log. The second is for sockets that
only processes of this server can reach. Headers of those names from anybody else are never read,
nor handed on.
"""

from typing import Protocol

import msgspec
from starlette.requests import Request

from toplu import deed
from toplu.api.http.addresses import client_address
from toplu.deed import Actor
from toplu.errors import TYPE_PREFIX, InvalidArgument, PermissionDenied
from toplu.job import ProjectId
from toplu.projects.keys import Keys
from toplu.settings.server import Settings

PROJECT_HEADER = "x-toplu-project"
ACTOR_HEADER = "x-toplu-actor"
CALL_ID = "toplu.call"  # the key in a scope of the id that the call was given
DEFAULT_PROJECT = ProjectId("default")

NO_KEY = (
    "Method doesn't allow unregistered callers (callers without established identity). "
    "Please use API Key or other form of API consumer identity to call this API."
)
BAD_KEY = "API key not valid. Please pass a valid API key."


class Identity(Protocol):
    """Tells whose a call is."""

    async def project_of(self, request: Request) -> ProjectId:
        """Return the project, in whose name the task acts from here on.

        Raises PermissionDenied or InvalidArgument.
        """
        ...


class KeyIdentity:
    """The project of the key that a client gives."""

    def __init__(self, *, settings: Settings, keys: Keys, any_key_until_first: bool) -> None:
        self._settings = settings
        self._keys = keys
        self._takes_any_key = any_key_until_first

    async def accepts_any_key(self) -> bool:
        """Return whether no key has been made yet, and any will do."""
        if self._takes_any_key and await self._keys.any_exist():
            # The first key ends this for good, even when it is revoked.
            self._takes_any_key = False
        return self._takes_any_key

    async def opens_all_projects(self, request: Request) -> bool:
        """Return whether the caller has an operator's key, or any one opens everything."""
        if await self.accepts_any_key():
            return True
        key = _key_of(request)
        holder = await self._keys.holder_of(key) if key else None
        return holder is not None and holder.is_operator

    async def project_of(self, request: Request) -> ProjectId:
        key = _key_of(request)
        if not key:
            raise PermissionDenied(NO_KEY)
        if await self.accepts_any_key():
            act_in(request, self._settings, name="anyone")
            return DEFAULT_PROJECT
        holder = await self._keys.holder_of(key)
        if holder is not None:
            act_in(request, self._settings, name=f"key/{holder.key_id}")
            return holder.project
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
        if actor := request.headers.get(ACTOR_HEADER):
            deed.act_as(_read_actor(actor))
        return ProjectId(project)


def act_in(request: Request, settings: Settings, *, name: str) -> None:
    """Have what the call does be done in the name of an actor, from the client's address."""
    client = client_address(request, settings)
    deed.act_as(Actor(name=name, client=client, call=request.scope.get(CALL_ID)))


def actor_header() -> tuple[bytes, bytes]:
    """Return the header by which a worker's door knows the actor."""
    return ACTOR_HEADER.encode(), msgspec.json.encode(deed.present())


_read_actor = msgspec.json.Decoder(Actor).decode


def _key_of(request: Request) -> str | None:
    header = request.headers.get("x-goog-api-key")
    if header:
        return header
    if key := request.query_params.get("key"):
        return key
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
