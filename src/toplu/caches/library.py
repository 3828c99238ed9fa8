"""The caches of all projects: made, found by those they belong to, and forgotten in time."""

import re
from collections import OrderedDict
from datetime import datetime, timedelta

import msgspec

from toplu.caches.expiry import read_expiry
from toplu.caches.violations import violation
from toplu.clock import Clock, random_id
from toplu.engines.translation.cached_prefix import CachedPrefix, check_use
from toplu.engines.translation.media import with_bytes
from toplu.errors import InvalidArgument, PermissionDenied
from toplu.files.attachments import Attachments
from toplu.fleet.fleet import Fleet
from toplu.fleet.work import CountPrefix, KeepPrefix
from toplu.job import ProjectId
from toplu.settings.server import ModelSettings, Settings
from toplu.store.rows.caches import CacheRows, StoredCache
from toplu.store.rows.pages import PageMark
from toplu.wire.gemini import message
from toplu.wire.gemini.cached_content import CachedContent
from toplu.wire.gemini.content import GenerateContentRequest

__all__ = ["CacheLibrary", "StoredCache"]

ID_LENGTH = 40
DISPLAY_NAME_LENGTH_MAX = 128
NAME = re.compile(r"(?:cachedContents/)?([A-Za-z0-9_-]{1,64})", re.ASCII)

_read_contents = msgspec.json.Decoder(GenerateContentRequest).decode


class CacheLibrary:
    """Keeps caches until they expire; a foreign one and an expired one are as missing as none."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        caches: CacheRows,
        fleet: Fleet,
        attachments: Attachments,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._caches = caches
        self._fleet = fleet
        self._attachments = attachments
        self._loaded = _Loaded(settings.caches_loaded_bytes_max)

    async def create(
        self, project: ProjectId, name: str, model: ModelSettings, body: CachedContent
    ) -> StoredCache:
        """Keep the body's contents for requests to the model of that name, and compute them.

        Documents are read and kept as they are: what becomes of their files is no matter.
        """
        _check_display_name(body.display_name)
        default = timedelta(seconds=self._settings.cache_life_seconds)
        read_expiry(body, self._clock.now(), default=default)
        await self._caches.check_room(project, self._clock.now(), self._settings.caches_max)
        pool = self._fleet.pool(model.name)
        request = await pool.read_documents(
            _request_of(body), self._attachments.of_project(project), interactive=True
        )
        tokens = await pool.run(CountPrefix(request=request))
        cached = CachedPrefix(id=random_id(ID_LENGTH), request=request, model=model, tokens=tokens)
        contents = self._checked_contents(cached)
        await pool.run(KeepPrefix(request=request, cached=cached))
        now = self._clock.now()
        cache = StoredCache(
            id=cached.id,
            project=project,
            model=name,
            engine=model.name,
            display_name=body.display_name or None,
            tokens=cached.tokens,
            created=now,
            updated=now,
            expires=read_expiry(body, now, default=default),
        )
        try:
            await self._caches.create(cache, contents, self._settings.caches_max)
        except BaseException:
            await pool.forget(cached.id)
            raise
        self._loaded.add(cached, len(contents))
        return cache

    async def get(self, project: ProjectId, name: str) -> StoredCache:
        """Return the cache of that name or id."""
        match = NAME.fullmatch(name)
        if match is None:
            raise InvalidArgument(
                f"Invalid CachedContent name {name[:100]!r}: it is `cachedContents/` and an id."
            )
        cache = await self._caches.find(project, match[1])
        if cache is None or cache.expires <= self._clock.now():
            raise _missing()
        return cache

    async def page(
        self, project: ProjectId, *, size: int, token: str | None = None
    ) -> tuple[list[StoredCache], str | None]:
        """Return up to `size` caches, newest first, and the token of the next page if any."""
        after = None if token is None else PageMark.of_token(token)
        found = await self._caches.page(project, size + 1, self._clock.now(), after)
        page = found[:size]
        if len(found) <= size:
            return page, None
        return page, PageMark(page[-1].created, page[-1].id).token

    async def change_expiry(
        self, project: ProjectId, name: str, body: CachedContent
    ) -> StoredCache:
        """Let the cache expire when the body says; nothing else of a cache changes."""
        cache = await self.get(project, name)
        now = self._clock.now()
        expires = read_expiry(body, now)
        if not await self._caches.change_expiry(project, cache.id, now=now, expires=expires):
            raise _missing()
        return await self.get(project, cache.id)

    async def delete(self, project: ProjectId, name: str) -> None:
        """Forget the cache, its contents and what was computed of them."""
        cache = await self.get(project, name)
        await self._caches.delete(project, cache.id)
        await self._let_go(cache)

    async def forget_expired(self, now: datetime) -> None:
        """Forget the caches that are past their expiry."""
        for cache in await self._caches.delete_expired(now):
            await self._let_go(cache)

    async def of_request(
        self, request: GenerateContentRequest, *, project: ProjectId, model: str
    ) -> CachedPrefix | None:
        """Return what the request says is cached, for a request to the model of that name."""
        if not request.cached_content:
            return None
        check_use(request)
        cache = await self.get(project, request.cached_content)
        if cache.model != model:
            raise InvalidArgument(
                f"Model used by GenerateContent request (models/{model}) and CachedContent "
                f"(models/{cache.model}) has to be the same."
            )
        cached = self._loaded.find(cache.id)
        if cached is None:
            contents = await self._caches.contents_of(cache)
            if contents is None:
                raise _missing()
            pool = self._fleet.pool(cache.engine)
            kept = await pool.read_documents(
                _read_contents(contents), self._attachments.of_project(project), interactive=False
            )
            cached = CachedPrefix(id=cache.id, request=kept, model=pool.model, tokens=cache.tokens)
            self._loaded.add(cached, len(contents))
        return cached

    def _checked_contents(self, cached: CachedPrefix) -> bytes:
        """Return what is kept of the cache, or raise if it is too small or too large."""
        tokens_min = self._settings.cache_tokens_min
        if cached.tokens < tokens_min:
            raise InvalidArgument(
                f"Cached content is too small. total_token_count={cached.tokens}, "
                f"min_total_token_count={tokens_min}"
            )
        contents = message.write(with_bytes(cached.request))
        if len(contents) > self._settings.cache_bytes_max:
            raise InvalidArgument(
                f"Cached content is too large: {len(contents)} bytes with its documents; at most "
                f"{self._settings.cache_bytes_max} are kept."
            )
        return contents

    async def _let_go(self, cache: StoredCache) -> None:
        self._loaded.drop(cache.id)
        await self._fleet.forget_cache(cache.engine, cache.id)


class _Loaded:
    """Caches in use, read from the store once; those used last, of so many bytes together."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._entries: OrderedDict[str, tuple[CachedPrefix, int]] = OrderedDict()
        self._bytes = 0

    def find(self, cache_id: str) -> CachedPrefix | None:
        if (entry := self._entries.get(cache_id)) is None:
            return None
        self._entries.move_to_end(cache_id)
        return entry[0]

    def add(self, cached: CachedPrefix, size_bytes: int) -> None:
        self.drop(cached.id)
        self._entries[cached.id] = (cached, size_bytes)
        self._bytes += size_bytes
        while self._bytes > self._bytes_max:
            self.drop(next(iter(self._entries)))

    def drop(self, cache_id: str) -> None:
        if (entry := self._entries.pop(cache_id, None)) is not None:
            self._bytes -= entry[1]


def _check_display_name(name: str | None) -> None:
    if name is not None and len(name) > DISPLAY_NAME_LENGTH_MAX:
        raise violation(
            "display_name",
            f"display name cannot be more than {DISPLAY_NAME_LENGTH_MAX} characters.",
        )


def _request_of(body: CachedContent) -> GenerateContentRequest:
    return GenerateContentRequest(
        contents=body.contents,
        system_instruction=body.system_instruction,
        tools=body.tools,
        tool_config=body.tool_config,
    )


def _missing() -> PermissionDenied:
    return PermissionDenied("CachedContent not found (or permission denied)")
