"""Makes cached contents, which takes a model to compute them."""

from functools import partial

from starlette.responses import Response
from starlette.routing import Route

from toplu.api.gemini.caches import cache_resource, named_model
from toplu.api.gemini.model_call import ModelCalls
from toplu.api.http.gate import Call, Gate
from toplu.api.http.idempotency import REPLAYED, key_of
from toplu.api.http.responses import json_response
from toplu.caches.keeper import CacheKeeper
from toplu.caches.library import CacheLibrary, StoredCache
from toplu.idempotency import AlreadyCreated, Creation
from toplu.money import Usage
from toplu.wire.gemini import message
from toplu.wire.gemini.cached_content import CachedContent


class CacheCreationApi:
    """Serves the POST of `cachedContents`."""

    def __init__(
        self,
        *,
        calls: ModelCalls,
        caches: CacheKeeper,
        library: CacheLibrary,
    ) -> None:
        self._calls = calls
        self._caches = caches
        self._library = library

    def routes(self, gate: Gate) -> list[Route]:
        path = "/{version:version}/cachedContents"
        return [Route(path, gate.endpoint(self.create), methods=["POST"])]

    async def create(self, call: Call) -> Response:
        """Keep contents and compute them once, which is charged as the reading that it is."""
        made = await self._calls.open_named(
            call, "createCachedContent", CachedContent, name_in=named_model
        )
        key = key_of(call, Creation.CACHE, message.write(made.body))
        try:
            work = partial(self._caches.create, call.project, made.name, made.model, made.body, key)
            cache = await made.metered(work, _usage)
        except AlreadyCreated as before:
            cache = await self._library.get(call.project, f"cachedContents/{before.resource}")
            return await json_response(call.request, cache_resource(cache), headers=REPLAYED)
        return await made.respond(cache_resource(cache))


def _usage(cache: StoredCache) -> Usage:
    return Usage(prompt_tokens=cache.tokens)
