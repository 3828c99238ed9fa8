"""Deeds that write no jobs, from two connections at once: as if one had come after the other."""

from datetime import timedelta

import pytest

from support.fake_clock import NOON
from support.store.rows import (
    PROJECT,
    a_file,
)
from support.store.two_connections import EACH, at_once, refusals
from toplu.errors import AlreadyExists, ResourceExhausted
from toplu.job import ProjectId
from toplu.money import FREE, NO_TOKENS, Kind
from toplu.store.rows.caches import CacheRows, StoredCache
from toplu.store.rows.database import Database
from toplu.store.rows.files import FileRows
from toplu.store.rows.keys import IssuedKey, KeyRows
from toplu.store.rows.ledger import LedgerEntry, LedgerRows
from toplu.store.rows.projects import ProjectRows
from toplu.store.rows.uploads import UploadSession, UploadSessions


async def test_files_fit_together(both: list[Database]) -> None:
    outcomes = await at_once(
        both, lambda it, number: FileRows(it).create(a_file(f"file-{number}"), 35)
    )
    assert refusals(outcomes) == 2 * EACH - 3
    named = await at_once(
        both, lambda it, _: FileRows(it).create(a_file("file-0", size_bytes=0), 35)
    )
    assert all(isinstance(it, AlreadyExists | type(None)) for it in named)
    made = await FileRows(both[0]).page(PROJECT, 100, NOON)

    async def remove(database: Database, _: int) -> object:
        gone = await FileRows(database).mark_deleted(PROJECT, made[0].id, NOON)
        await FileRows(database).forget(PROJECT, made[0].id)
        return gone

    removed = await at_once(both, remove)
    assert removed.count(made[0]) == 1


async def test_an_upload_makes_one_file(both: list[Database]) -> None:
    def session(name: str) -> UploadSession:
        return UploadSession(
            id_hash=name,
            project=PROJECT,
            actor="key/ci",
            file_id=None,
            display_name=None,
            mime_type="text/plain",
            declared_bytes=None,
            created=NOON,
            expires=NOON + timedelta(hours=1),
        )

    opened = await at_once(
        both, lambda it, number: UploadSessions(it).create(session(f"upload-{number}"), 4)
    )
    assert refusals(opened) == 2 * EACH - 4
    (first, second, *_) = await UploadSessions(both[1]).open_of(PROJECT, NOON)
    made = await at_once(
        both, lambda it, number: UploadSessions(it).finish(first, a_file(f"file-{number}"), 100)
    )
    assert refusals(made) == 0
    assert len({it.id for it in made if not isinstance(it, BaseException)}) == 1

    async def end(database: Database, number: int) -> object:
        sessions = UploadSessions(database)
        if number % 2:
            return await sessions.finish(second, a_file("late"), 100)
        return await sessions.cancel(second)

    ended = await at_once(both, end)
    cancelled = ended.count(True) > 0
    assert refusals(ended) == (EACH if cancelled else 0)
    await at_once(both, lambda it, _: UploadSessions(it).forget(second))
    assert await UploadSessions(both[0]).find(second) is None


async def test_a_project_has_no_more_caches_than_it_may(both: list[Database]) -> None:
    def cache(number: int) -> StoredCache:
        return StoredCache(
            id=f"cache-{number}",
            project=PROJECT,
            model="gemini-2.5-flash",
            engine="echo",
            display_name=None,
            tokens=1,
            created=NOON,
            updated=NOON,
            expires=NOON + timedelta(hours=1),
        )

    made = await at_once(both, lambda it, number: CacheRows(it).create(cache(number), b"{}", 3))
    assert refusals(made) == 2 * EACH - 3
    kept = await CacheRows(both[1]).page(PROJECT, 100, NOON)
    assert len(kept) == 3

    async def change(database: Database, number: int) -> object:
        rows = CacheRows(database)
        if number % 2:
            return await rows.delete(PROJECT, kept[0].id, NOON)
        await rows.delete_expired(NOON)
        later = NOON + timedelta(hours=2)
        return await rows.change_expiry(PROJECT, kept[1].id, now=NOON, expires=later)

    assert refusals(await at_once(both, change)) == 0
    assert len(await CacheRows(both[0]).page(PROJECT, 100, NOON)) == 2


async def test_keys_tiers_and_entries_are_written_beside_each_other(both: list[Database]) -> None:
    def entry(number: int) -> LedgerEntry:
        return LedgerEntry.of(
            entry_id=f"entry-{number}",
            project=PROJECT,
            model="echo",
            kind=Kind.INTERACTIVE,
            at=NOON,
            requests=1,
            usage=NO_TOKENS,
            prices=FREE,
        )

    async def write(database: Database, number: int) -> None:
        key = IssuedKey(
            id=f"key-{number}",
            sha256=f"{number}",
            project=PROJECT,
            label="",
            prefix="tpl_",
            created=NOON,
        )
        await KeyRows(database).add(key)
        await KeyRows(database).revoke("key-0", NOON)
        await ProjectRows(database).set_tier(ProjectId(f"project-{number}"), "large", NOON)
        await LedgerRows(database).add([entry(number)])

    assert refusals(await at_once(both, write)) == 0
    assert len(await KeyRows(both[0]).all()) == 2 * EACH
    (total,) = await LedgerRows(both[0]).totals()
    assert total.requests == 2 * EACH


def test_a_refusal_is_told_from_a_fault() -> None:
    assert refusals([None, ResourceExhausted("full")]) == 1
    with pytest.raises(OSError, match="busy"):
        refusals([OSError("busy")])
