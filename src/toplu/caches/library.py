"""The caches of all projects as they are kept: found by those they belong to, and deleted."""

import re
from collections.abc import Callable

from toplu.caches.expiry import read_expiry
from toplu.clock import Clock
from toplu.errors import InvalidArgument, PermissionDenied
from toplu.job import ProjectId
from toplu.store.rows.caches import CacheRows, StoredCache
from toplu.store.rows.pages import PageMark, cut_page
from toplu.wire.gemini.cached_content import CachedContent

__all__ = ["CacheLibrary", "StoredCache"]

NAME = re.compile(r"(?:cachedContents/)?([A-Za-z0-9_-]{1,64})", re.ASCII)


class CacheLibrary:
    """Finds caches; a foreign one and an expired one are as missing as none."""

    def __init__(self, *, clock: Clock, caches: CacheRows, deleted: Callable[[], None]) -> None:
        self._clock = clock
        self._caches = caches
        self._deleted = deleted  # called when what was computed of a cache is to be forgotten

    async def get(self, project: ProjectId, name: str) -> StoredCache:
        """Return the cache of that name or id."""
        match = NAME.fullmatch(name)
        if match is None:
            raise InvalidArgument(
                f"Invalid CachedContent name {name[:100]!r}: it is `cachedContents/` and an id."
            )
        cache = await self._caches.find(project, match[1])
        if cache is None or cache.expires <= self._clock.now():
            raise missing()
        return cache

    async def page(
        self, project: ProjectId, *, size: int, token: str | None = None
    ) -> tuple[list[StoredCache], str | None]:
        """Return up to `size` caches, newest first, and the token of the next page if any."""
        after = None if token is None else PageMark.of_token(token)
        found = await self._caches.page(project, size + 1, self._clock.now(), after)
        return cut_page(found, size)

    async def change_expiry(
        self, project: ProjectId, name: str, body: CachedContent
    ) -> StoredCache:
        """Let the cache expire when the body says; nothing else of a cache changes."""
        cache = await self.get(project, name)
        now = self._clock.now()
        expires = read_expiry(body, now)
        if not await self._caches.change_expiry(project, cache.id, now=now, expires=expires):
            raise missing()
        return await self.get(project, cache.id)

    async def delete(self, project: ProjectId, name: str) -> None:
        """Forget the cache with its contents; what was computed of them goes soon after."""
        cache = await self.get(project, name)
        await self._caches.delete(project, cache.id, self._clock.now())
        self._deleted()


def missing() -> PermissionDenied:
    """Return the error of a cache that is not there for its caller."""
    return PermissionDenied("CachedContent not found (or permission denied)")
