"""Rows of caches: their contents, their expiry, and how many a project has."""

from dataclasses import replace
from datetime import timedelta

import pytest

from support.fake_clock import NOON
from support.store.rows import PROJECT
from toplu.errors import ResourceExhausted
from toplu.job import ProjectId
from toplu.store.rows.caches import CacheRows, StoredCache
from toplu.store.rows.database import Database
from toplu.store.rows.pages import PageMark

OTHER = ProjectId("team-b")
HOUR = timedelta(hours=1)


@pytest.fixture
def caches(database: Database) -> CacheRows:
    return CacheRows(database)


def a_cache(name: str = "one", **changes: object) -> StoredCache:
    values: dict[str, object] = {
        "id": name,
        "project": PROJECT,
        "model": "gemini-2.5-flash",
        "engine": "echo",
        "display_name": "rules",
        "tokens": 40,
        "created": NOON,
        "updated": NOON,
        "expires": NOON + HOUR,
    }
    return StoredCache(**values | changes)


async def test_a_cache_is_found_as_it_was_kept_and_by_its_project_only(caches: CacheRows) -> None:
    cache = a_cache()
    await caches.create(cache, b"{}", 10)
    assert await caches.find(PROJECT, "one") == cache
    assert await caches.contents_of(cache) == b"{}"
    assert await caches.find(OTHER, "one") is None
    assert await caches.contents_of(replace(cache, project=OTHER)) is None
    await caches.delete(OTHER, "one", NOON)
    assert await caches.find(PROJECT, "one") == cache


async def test_a_deleted_cache_leaves_nothing(caches: CacheRows) -> None:
    await caches.create(a_cache(), b"{}", 10)
    for _ in range(2):
        await caches.delete(PROJECT, "one", NOON)
        assert await caches.find(PROJECT, "one") is None


async def test_only_living_caches_count(caches: CacheRows) -> None:
    await caches.create(a_cache("one"), b"", 2)
    await caches.create(a_cache("two"), b"", 2)
    with pytest.raises(ResourceExhausted):
        await caches.create(a_cache("three"), b"", 2)
    with pytest.raises(ResourceExhausted):
        await caches.check(PROJECT, NOON, 2)
    await caches.check(OTHER, NOON, 2)
    later = a_cache("three", created=NOON + HOUR, expires=NOON + 2 * HOUR)
    await caches.create(later, b"", 2)
    assert await caches.find(PROJECT, "three") == later


async def test_an_expired_cache_cannot_be_kept_longer(caches: CacheRows) -> None:
    await caches.create(a_cache(), b"", 10)
    moment = NOON + HOUR / 2
    assert await caches.change_expiry(PROJECT, "one", now=moment, expires=NOON + 2 * HOUR)
    found = await caches.find(PROJECT, "one")
    assert found == a_cache(updated=moment, expires=NOON + 2 * HOUR)
    late = NOON + 2 * HOUR
    assert not await caches.change_expiry(PROJECT, "one", now=late, expires=late + HOUR)
    assert not await caches.change_expiry(OTHER, "one", now=NOON, expires=late)


async def test_expired_caches_are_deleted(caches: CacheRows) -> None:
    await caches.create(a_cache("one"), b"", 10)
    await caches.create(a_cache("two", expires=NOON + 2 * HOUR), b"", 10)
    for _ in range(2):
        await caches.delete_expired(NOON + HOUR)
        assert await caches.living(["one", "two", "never"]) == {"two"}


async def test_pages_have_living_caches_newest_first(caches: CacheRows) -> None:
    made = [a_cache(f"c{at}", created=NOON + timedelta(seconds=at)) for at in range(3)]
    for cache in made:
        await caches.create(cache, b"", 10)
    await caches.create(a_cache("gone", expires=NOON), b"", 10)
    assert await caches.page(PROJECT, 2, NOON) == made[:0:-1]
    assert await caches.page(PROJECT, 2, NOON, PageMark(made[1].created, "c1")) == [made[0]]
    assert await caches.page(OTHER, 2, NOON) == []
