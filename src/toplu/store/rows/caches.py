"""Rows of caches, with the contents that they keep."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, insert, select, update

from toplu.deed import Action
from toplu.errors import ResourceExhausted
from toplu.idempotency import IdempotencyKey
from toplu.job import ProjectId
from toplu.store.rows.audit import note
from toplu.store.rows.database import Database
from toplu.store.rows.deletions import check_living
from toplu.store.rows.idempotency import check_key, note_creation
from toplu.store.rows.locks import lock_project
from toplu.store.rows.pages import PageMark, newest_first
from toplu.store.rows.schema import caches

ROUND_MAX = 1000  # rows that one look of the janitor returns
RETRY_SECONDS = 60  # a client may delete caches at any time

# Lists and look-ups leave the contents where they are.
HEAD = [column for column in caches.c if column.name != "contents"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCache:
    """A cache without its contents, which never change."""

    id: str  # without `cachedContents/`
    project: ProjectId
    model: str  # as asked for, without `models/`
    engine: str  # the model of the catalogue that it stood for
    display_name: str | None
    tokens: int
    created: datetime
    updated: datetime
    expires: datetime


class CacheRows:
    """The rows of caches; one past its expiry may be there until it is forgotten."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self,
        cache: StoredCache,
        contents: bytes,
        project_caches_max: int,
        key: IdempotencyKey | None = None,
    ) -> None:
        """Add the cache, or raise ResourceExhausted if the project has too many.

        With a `key` that has made a cache before it raises as `store.rows.idempotency` says.
        """

        def add(connection: Connection) -> None:
            lock_project(connection, cache.project)
            check_living(connection, cache.project, cache.created)
            note_creation(connection, key, cache.id, cache.created)
            _check_room(connection, cache.project, cache.created, project_caches_max)
            connection.execute(insert(caches).values(**asdict(cache), contents=contents))
            _note(connection, Action.CACHE_CREATE, cache.project, cache.id, cache.created)

        await self._database.write(add, locks_rows=True)

    async def check(
        self,
        project: ProjectId,
        now: datetime,
        project_caches_max: int,
        key: IdempotencyKey | None = None,
    ) -> None:
        """Raise what `create` would raise."""

        def look(connection: Connection) -> None:
            check_living(connection, project, now)
            if key is not None:
                check_key(connection, key, now)
            _check_room(connection, project, now, project_caches_max)

        await self._database.read(look)

    async def find(self, project: ProjectId, cache_id: str) -> StoredCache | None:
        query = select(*HEAD).where(_is_cache(project, cache_id))
        row = await self._database.read(lambda c: c.execute(query).first())
        return None if row is None else _cache_of(row)

    async def contents_of(self, cache: StoredCache) -> bytes | None:
        """Return what the cache keeps, or None if it was deleted since."""
        query = select(caches.c.contents).where(_is_cache(cache.project, cache.id))
        return await self._database.read(lambda c: c.scalar(query))

    async def page(
        self, project: ProjectId, size: int, now: datetime, after: PageMark | None = None
    ) -> list[StoredCache]:
        """Return up to `size` caches that are not past their expiry, newest first."""
        query = select(*HEAD).where(caches.c.project == project, caches.c.expires > now)
        return await self._database.read(
            lambda c: [
                _cache_of(row) for row in c.execute(newest_first(query, caches, size, after))
            ]
        )

    async def change_expiry(
        self, project: ProjectId, cache_id: str, *, now: datetime, expires: datetime
    ) -> bool:
        """Set when the cache expires; False if there is none, or it expired before."""
        living = and_(_is_cache(project, cache_id), caches.c.expires > now)
        change = update(caches).where(living).values(updated=now, expires=expires)

        def write(connection: Connection) -> bool:
            if not connection.execute(change).rowcount:
                return False
            _note(connection, Action.CACHE_UPDATE, project, cache_id, now)
            return True

        return await self._database.write(write)

    async def delete(self, project: ProjectId, cache_id: str, at: datetime) -> None:
        """Remove the cache and what it keeps; idempotent."""

        def write(connection: Connection) -> None:
            if connection.execute(delete(caches).where(_is_cache(project, cache_id))).rowcount:
                _note(connection, Action.CACHE_DELETE, project, cache_id, at)

        await self._database.write(write)

    async def delete_expired(self, now: datetime) -> None:
        """Remove caches past their expiry, a bounded number at a time."""
        expired = select(caches.c.project, caches.c.id).where(caches.c.expires <= now)
        oldest = expired.order_by(caches.c.expires).limit(ROUND_MAX)

        def write(connection: Connection) -> None:
            gone = connection.execute(oldest).all()
            connection.execute(delete(caches).where(caches.c.id.in_([row.id for row in gone])))
            for row in gone:
                _note(connection, Action.CACHE_DELETE, ProjectId(row.project), row.id, now)

        if await self._database.read(lambda c: c.execute(expired.limit(1)).first()) is not None:
            await self._database.write(write)

    async def living(self, cache_ids: Sequence[str]) -> set[str]:
        """Return those of the caches that are there."""

        def find(connection: Connection) -> set[str]:
            found: set[str] = set()
            for start in range(0, len(cache_ids), ROUND_MAX):
                asked = caches.c.id.in_(cache_ids[start : start + ROUND_MAX])
                found.update(connection.scalars(select(caches.c.id).where(asked)))
            return found

        return await self._database.read(find)


def _note(
    connection: Connection, action: Action, project: ProjectId, cache_id: str, at: datetime
) -> None:
    note(connection, action, project, f"cachedContents/{cache_id}", at)


def _is_cache(project: ProjectId, cache_id: str) -> ColumnElement[bool]:
    return and_(caches.c.project == project, caches.c.id == cache_id)


def _cache_of(row: Row[tuple[Any, ...]]) -> StoredCache:
    return StoredCache(**row._asdict())


def _check_room(
    connection: Connection, project: ProjectId, now: datetime, project_caches_max: int
) -> None:
    living = select(func.count()).where(caches.c.project == project, caches.c.expires > now)
    count = connection.scalar(living)
    assert count is not None, "a count is always there"
    if count >= project_caches_max:
        raise ResourceExhausted.of_quota(
            "cached_contents",
            project_caches_max,
            f"the project has {count} cached contents.",
            retry_seconds=RETRY_SECONDS,
        )
