"""The public keys of the server, by which what it tells can be known to come from it."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from toplu.api.http.responses import json_response
from toplu.webhooks.key_set import KeySet
from toplu.wire.gemini.webhook import JsonWebKeySet

PATH = "/.well-known/jwks.json"
FRESH = {"Cache-Control": "public, max-age=300"}


class KeySetApi:
    """Serves the JSON Web Key Set to whoever asks, without a key."""

    def __init__(self, *, key_set: KeySet) -> None:
        self._key_set = key_set

    def routes(self) -> list[Route]:
        return [Route(PATH, self.find, methods=["GET"])]

    async def find(self, request: Request) -> Response:
        """Answer with the keys."""
        keys = JsonWebKeySet(keys=await self._key_set.public())
        return await json_response(request, keys, headers=FRESH)
