"""Keys: returned once, kept as digests, and worth nothing soon after they are revoked."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from support.fake_clock import NOON, FakeClock
from support.store.migrated import open_migrated
from toplu.errors import InvalidArgument, NotFound
from toplu.job import ProjectId
from toplu.projects import keys as keys_module
from toplu.projects.keys import REMEMBERED_FOR, Keys
from toplu.store.rows.keys import KeyRows

PROJECT = ProjectId("team-a")


@pytest.fixture
async def issued(tmp_path: Path) -> AsyncIterator[KeyRows]:
    database = await open_migrated(tmp_path / "toplu.db")
    yield KeyRows(database)
    await database.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def keys(issued: KeyRows, clock: FakeClock) -> Keys:
    return Keys(clock=clock, issued=issued)


async def project_of(keys: Keys, key: str) -> ProjectId | None:
    holder = await keys.holder_of(key)
    return None if holder is None else holder.project


async def test_a_key_stands_for_its_project(keys: Keys) -> None:
    key, other = await keys.create(PROJECT, "ci"), await keys.create(ProjectId("team-b"), "")
    assert re.fullmatch(r"tpl_[A-Za-z0-9_-]{43}", key)
    assert await project_of(keys, key) == PROJECT
    assert await project_of(keys, other) == "team-b"


@pytest.mark.parametrize("key", ["", "tpl_", "tpl_" + "A" * 43, "x" * 100_000, "ü"])
async def test_what_is_no_key_stands_for_nothing(keys: Keys, key: str) -> None:
    await keys.create(PROJECT, "ci")
    assert await project_of(keys, key) is None


async def test_a_key_is_nowhere_on_disk(keys: Keys, tmp_path: Path) -> None:
    key = await keys.create(PROJECT, "ci")
    (listed,) = await keys.list()
    assert (listed.project, listed.label, listed.created) == (PROJECT, "ci", NOON)
    assert key.startswith(listed.prefix)
    assert len(listed.prefix) == 10
    assert key not in repr(listed)
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert listed.prefix.encode() in kept
    assert key.encode() not in kept


@pytest.mark.parametrize("by", ["id", "prefix"])
async def test_a_revoked_key_is_worth_nothing_at_once(
    keys: Keys, clock: FakeClock, by: str
) -> None:
    key = await keys.create(PROJECT, "a")
    clock.advance(timedelta(seconds=1))
    other = await keys.create(PROJECT, "b")
    assert await project_of(keys, key) == PROJECT
    listed, _ = await keys.list()
    await keys.revoke(getattr(listed, by))
    assert await project_of(keys, key) is None
    assert await project_of(keys, other) == PROJECT
    assert [one.revoked for one in await keys.list()] == [clock.now(), None]


async def test_a_key_revoked_in_another_process_lives_a_second_at_most(
    keys: Keys, issued: KeyRows, clock: FakeClock
) -> None:
    key = await keys.create(PROJECT, "a")
    assert await project_of(keys, key) == PROJECT
    (listed,) = await keys.list()
    await Keys(clock=clock, issued=issued).revoke(listed.id)
    assert timedelta(seconds=1) >= REMEMBERED_FOR
    clock.advance(REMEMBERED_FOR - timedelta(microseconds=1))
    # Remembered, so a busy client does not cost a read for each call.
    assert await project_of(keys, key) == PROJECT
    clock.advance(timedelta(microseconds=1))
    assert await project_of(keys, key) is None


async def test_a_key_made_in_another_process_counts_at_once(
    keys: Keys, issued: KeyRows, clock: FakeClock
) -> None:
    assert not await keys.any_exist()
    key = await Keys(clock=clock, issued=issued).create(PROJECT, "a")
    assert await keys.any_exist()
    assert await project_of(keys, key) == PROJECT


async def test_revoking_the_last_key_does_not_open_the_api(keys: Keys) -> None:
    await keys.create(PROJECT, "a")
    (listed,) = await keys.list()
    await keys.revoke(listed.id)
    assert await keys.any_exist()


async def test_only_so_many_keys_are_remembered(
    keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys_module, "REMEMBERED_MAX", 2)
    made = [await keys.create(PROJECT, str(number)) for number in range(4)]
    for key in made:
        assert await project_of(keys, key) == PROJECT
        assert await project_of(keys, "tpl_wrong") is None
    assert len(keys._remembered) == 2


async def test_revoking_names_exactly_one_key(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFound, match="none"):
        await keys.revoke("none")
    monkeypatch.setattr(keys_module, "PREFIX_LENGTH", 4)
    await keys.create(PROJECT, "a")
    await keys.create(PROJECT, "b")
    with pytest.raises(InvalidArgument, match="Several"):
        await keys.revoke("tpl_")
    assert [one.revoked for one in await keys.list()] == [None, None]


@pytest.mark.parametrize("project", ["", "-a", "a-", "A", "a b", "a" * 64, "a\n"])
async def test_a_project_has_a_plain_name(keys: Keys, project: str) -> None:
    with pytest.raises(InvalidArgument):
        await keys.create(ProjectId(project), "")
    assert await keys.list() == []


async def test_a_label_is_bounded(keys: Keys) -> None:
    await keys.create(PROJECT, "x" * 200)
    with pytest.raises(InvalidArgument):
        await keys.create(PROJECT, "x" * 201)
