"""Cached contents: get, list, change the expiry, delete; see `cache_creation` for create."""

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from toplu.api.gemini.update_mask import UPDATE_QUERY, masked
from toplu.api.http.gate import Call, Gate
from toplu.api.http.paging import PAGE_QUERY, page_size, page_token
from toplu.api.http.responses import json_response
from toplu.caches.library import CacheLibrary, StoredCache
from toplu.caches.violations import violation
from toplu.clock import timestamp
from toplu.settings.server import Settings
from toplu.wire.gemini.cached_content import (
    CachedContent,
    CachedContentUsage,
    ListCachedContentsResponse,
)

PAGE_SIZE = 50
PAGE_SIZE_MAX = 1000
EXPIRATION = {"ttl": "ttl", "expireTime": "expire_time"}
UNCHANGEABLE = ("model", "display_name", "contents", "system_instruction", "tools", "tool_config")


class CachesApi:
    """Serves `cachedContents/…`."""

    def __init__(self, *, settings: Settings, library: CacheLibrary) -> None:
        self._settings = settings
        self._library = library

    def routes(self, gate: Gate) -> list[Route]:
        every, one = (
            "/{version:version}/cachedContents",
            "/{version:version}/cachedContents/{cache}",
        )
        change = gate.endpoint(self.change, query=UPDATE_QUERY)
        return [
            Route(every, gate.endpoint(self.list, query=PAGE_QUERY), methods=["GET"]),
            Route(one, gate.endpoint(self.find), methods=["GET"]),
            Route(one, change, methods=["PATCH"]),
            Route(one, gate.endpoint(self.delete), methods=["DELETE"]),
        ]

    async def find(self, call: Call) -> Response:
        """Answer with what is known of the cache but its contents."""
        cache = await self._library.get(call.project, call.path("cache"))
        return await json_response(call.request, cache_resource(cache))

    async def list(self, call: Call) -> Response:
        """Answer with a page of caches, newest first."""
        caches, next_token = await self._library.page(
            call.project,
            size=page_size(call, default=PAGE_SIZE, largest=PAGE_SIZE_MAX),
            token=page_token(call),
        )
        page = ListCachedContentsResponse(
            cached_contents=[cache_resource(cache) for cache in caches] or None,
            next_page_token=next_token,
        )
        return await json_response(call.request, page)

    async def change(self, call: Call) -> Response:
        """Change when the cache expires."""
        body = await call.read(CachedContent, self._settings.inline_bytes_max)
        query = call.request.query_params
        change = masked(query, body, EXPIRATION)
        # Without a mask, everything that is set is to be changed.
        is_masked = any(query.get(name) for name in UPDATE_QUERY)
        if not is_masked and (named := [each for each in UNCHANGEABLE if getattr(body, each)]):
            raise violation(named[0], "it cannot be changed, only the expiration.")
        expiration = msgspec.structs.replace(CachedContent(), **change)
        cache = await self._library.change_expiry(call.project, call.path("cache"), expiration)
        return await json_response(call.request, cache_resource(cache))

    async def delete(self, call: Call) -> Response:
        """Forget the cache."""
        await self._library.delete(call.project, call.path("cache"))
        return await json_response(call.request, {})


def named_model(body: CachedContent) -> str:
    """Return the name of the model, without `models/`, or raise InvalidArgument."""
    if not body.model:
        raise violation("model", "model is not specified")
    return body.model.removeprefix("models/")


def cache_resource(cache: StoredCache) -> CachedContent:
    """Return what clients see of the cache."""
    return CachedContent(
        name=f"cachedContents/{cache.id}",
        model=f"models/{cache.model}",
        # The hosted service says it even where it is empty.
        display_name=cache.display_name or "",
        create_time=timestamp(cache.created),
        update_time=timestamp(cache.updated),
        expire_time=timestamp(cache.expires),
        usage_metadata=CachedContentUsage(total_token_count=cache.tokens),
    )
