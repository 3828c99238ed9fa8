"""Makes caches, gives their contents to requests, and has engines forget what is gone."""

from collections import OrderedDict
from datetime import datetime, timedelta

import msgspec

from toplu.caches.expiry import read_expiry
from toplu.caches.library import CacheLibrary, StoredCache, missing
from toplu.caches.violations import violation
from toplu.clock import Clock, random_id
from toplu.engines.translation.cached_prefix import CachedPrefix, check_use
from toplu.engines.translation.media import with_bytes
from toplu.errors import InvalidArgument
from toplu.files.attachments import Attachments
from toplu.fleet.fleet import Fleet
from toplu.fleet.work import CountPrefix, KeepPrefix, Tier
from toplu.idempotency import IdempotencyKey
from toplu.job import ProjectId
from toplu.settings.server import ModelSettings, Settings
from toplu.store.rows.caches import CacheRows
from toplu.wire.gemini import message
from toplu.wire.gemini.cached_content import CachedContent
from toplu.wire.gemini.content import GenerateContentRequest

ID_LENGTH = 40
DISPLAY_NAME_LENGTH_MAX = 128

_read_contents = msgspec.json.Decoder(GenerateContentRequest).decode


class CacheKeeper:
    """Keeps what engines computed of caches for as long as these are there."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        caches: CacheRows,
        library: CacheLibrary,
        fleet: Fleet,
        attachments: Attachments,
    ) -> None:
        self._settings = settings
        self._default_life = timedelta(seconds=settings.cache_life_seconds)
        self._clock = clock
        self._caches = caches
        self._library = library
        self._fleet = fleet
        self._attachments = attachments
        self._loaded = _Loaded(settings.caches_loaded_bytes_max)
        self._used: dict[str, str] = {}  # the engine of each cache that it may have computed

    async def create(
        self,
        project: ProjectId,
        name: str,
        model: ModelSettings,
        body: CachedContent,
        key: IdempotencyKey | None = None,
    ) -> StoredCache:
        """Keep the body's contents for requests to the model of that name, and compute them.

        Documents are read and kept as they are: what becomes of their files is no matter. Raises
        AlreadyCreated if the key has made a cache before.
        """
        _check_display_name(body.display_name)
        read_expiry(body, self._clock.now(), default=self._default_life)
        await self._caches.check(project, self._clock.now(), self._settings.caches_max, key)
        pool = self._fleet.pool(model.name)
        request = await pool.read_documents(
            _request_of(body), self._attachments.of_project(project), Tier.STANDARD
        )
        tokens = await pool.run(CountPrefix(request=request))
        cached = CachedPrefix(id=random_id(ID_LENGTH), request=request, model=model, tokens=tokens)
        contents = self._checked_contents(cached)
        await pool.run(KeepPrefix(request=request, cached=cached))
        cache = self._describe(cached, project, name, body)
        try:
            await self._caches.create(cache, contents, self._settings.caches_max, key)
        except BaseException:
            await pool.forget(cached.id)
            raise
        self._use(cache, cached, contents)
        return cache

    def _describe(
        self, cached: CachedPrefix, project: ProjectId, name: str, body: CachedContent
    ) -> StoredCache:
        now = self._clock.now()
        return StoredCache(
            id=cached.id,
            project=project,
            model=name,
            engine=cached.model.name,
            display_name=body.display_name or None,
            tokens=cached.tokens,
            created=now,
            updated=now,
            expires=read_expiry(body, now, default=self._default_life),
        )

    async def forget_gone(self, now: datetime) -> None:
        """Delete the caches that are past their expiry; forget what was computed of any gone."""
        await self._caches.delete_expired(now)
        if not self._used:
            return
        living = await self._caches.living(list(self._used))
        for cache_id in self._used.keys() - living:
            self._loaded.drop(cache_id)
            await self._fleet.forget_cache(self._used.pop(cache_id), cache_id)

    async def of_request(
        self, request: GenerateContentRequest, *, project: ProjectId, model: str
    ) -> CachedPrefix | None:
        """Return what the request says is cached, for a request to the model of that name."""
        if not request.cached_content:
            return None
        check_use(request)
        cache = await self._library.get(project, request.cached_content)
        if cache.model != model:
            raise InvalidArgument(
                f"Model used by GenerateContent request (models/{model}) and CachedContent "
                f"(models/{cache.model}) has to be the same."
            )
        cached = self._loaded.find(cache.id)
        if cached is None:
            contents = await self._caches.contents_of(cache)
            if contents is None:
                raise missing()
            pool = self._fleet.pool(cache.engine)
            kept = await pool.read_documents(
                _read_contents(contents), self._attachments.of_project(project), Tier.BATCH
            )
            cached = CachedPrefix(id=cache.id, request=kept, model=pool.model, tokens=cache.tokens)
            self._use(cache, cached, contents)
        return cached

    def _use(self, cache: StoredCache, cached: CachedPrefix, contents: bytes) -> None:
        self._loaded.add(cached, len(contents))
        self._used[cache.id] = cache.engine

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
