"""Rows of files, upload sessions and keys."""

from dataclasses import replace
from datetime import timedelta

import pytest

from support.fake_clock import NOON
from support.store.rows import PROJECT, a_file
from toplu.errors import AlreadyExists, NotFound, ResourceExhausted
from toplu.job import ProjectId
from toplu.store.rows.database import Database
from toplu.store.rows.files import FileRows, FileSource
from toplu.store.rows.keys import IssuedKey, KeyHolder, KeyRows
from toplu.store.rows.pages import PageMark
from toplu.store.rows.uploads import UploadSession, UploadSessions, UploadState

OTHER = ProjectId("team-b")
LATER = NOON + timedelta(hours=1)


@pytest.fixture
def sessions(database: Database) -> UploadSessions:
    return UploadSessions(database)


def a_session(name: str = "s", **changes: object) -> UploadSession:
    values: dict[str, object] = {
        "id_hash": name,
        "project": PROJECT,
        "actor": "key/ci",
        "file_id": None,
        "display_name": None,
        "mime_type": "jsonl",
        "declared_bytes": 5,
        "created": NOON,
        "expires": LATER,
    }
    return UploadSession(**values | changes)


async def test_a_file_is_found_as_it_was_kept_and_by_its_project_only(files: FileRows) -> None:
    file = a_file(display_name="günlük")
    await files.create(file, project_bytes_max=10)
    assert await files.find(PROJECT, "results") == file
    assert await files.find(OTHER, "results") is None
    assert await files.mark_deleted(OTHER, "results", NOON) is None


async def test_a_name_is_taken_once(files: FileRows) -> None:
    await files.create(a_file("my-name"), project_bytes_max=100)
    with pytest.raises(AlreadyExists) as caught:
        await files.create(a_file("my-name"), project_bytes_max=100)
    assert caught.value.message == "my-name already exists."


async def test_the_same_name_in_two_projects_is_two_files(files: FileRows) -> None:
    await files.create(a_file("my-name"), project_bytes_max=100)
    await files.create(a_file("my-name", project=OTHER), project_bytes_max=100)
    await files.mark_deleted(PROJECT, "my-name", NOON)
    await files.forget(PROJECT, "my-name")
    assert await files.find(PROJECT, "my-name") is None
    assert await files.find(OTHER, "my-name") is not None


async def test_uploads_fill_a_project_and_results_do_not(files: FileRows) -> None:
    await files.create(a_file("a", size_bytes=60), project_bytes_max=100)
    await files.create(a_file("b", size_bytes=40), project_bytes_max=100)
    await files.create(
        a_file("c", size_bytes=500, source=FileSource.GENERATED), project_bytes_max=100
    )
    await files.create(a_file("d", size_bytes=60, project=OTHER), project_bytes_max=100)
    with pytest.raises(ResourceExhausted, match="100 bytes"):
        await files.create(a_file("e", size_bytes=1), project_bytes_max=100)
    await files.mark_deleted(PROJECT, "b", NOON)
    await files.create(a_file("e", size_bytes=40), project_bytes_max=100)


async def test_pages_of_files_skip_what_is_deleted_or_expired(files: FileRows) -> None:
    for name, minutes in (("a", 0), ("b", 1), ("c", 1), ("d", 2)):
        created = NOON + timedelta(minutes=minutes)
        await files.create(a_file(name, created=created), project_bytes_max=100)
    await files.create(a_file("old", expires=LATER), project_bytes_max=100)
    await files.mark_deleted(PROJECT, "c", NOON)
    first = await files.page(PROJECT, 2, LATER)
    assert [file.id for file in first] == ["d", "b"]
    second = await files.page(PROJECT, 2, LATER, PageMark(first[-1].created, first[-1].id))
    assert [file.id for file in second] == ["a"]
    assert await files.page(OTHER, 2, LATER) == []


async def test_a_file_goes_in_two_steps(files: FileRows) -> None:
    file = a_file(expires=LATER)
    await files.create(file, project_bytes_max=100)
    assert await files.expired(LATER - timedelta(microseconds=1)) == []
    assert await files.expired(LATER) == [file]
    await files.forget(PROJECT, "results")
    assert await files.find(PROJECT, "results") == file
    assert await files.mark_deleted(PROJECT, "results", NOON) == file
    assert await files.mark_deleted(PROJECT, "results", NOON) is None
    assert await files.find(PROJECT, "results") is None
    assert await files.expired(LATER) == []
    assert await files.deleted() == [file]
    await files.forget(PROJECT, "results")
    assert await files.deleted() == []
    await files.create(file, project_bytes_max=100)


async def test_open_uploads_are_counted_for_each_project(sessions: UploadSessions) -> None:
    await sessions.create(a_session("a"), open_max=1)
    with pytest.raises(ResourceExhausted, match="at most 1 uploads"):
        await sessions.create(a_session("b"), open_max=1)
    await sessions.create(a_session("c", project=OTHER), open_max=1)
    # The first one is over its time, so it is open no more.
    await sessions.create(a_session("d", created=LATER), open_max=1)
    assert await sessions.find("b") is None
    assert await sessions.find("a") == a_session("a")


async def test_a_session_makes_its_file_once(sessions: UploadSessions, files: FileRows) -> None:
    await sessions.create(a_session(), open_max=1)
    file = a_file("made")
    assert await sessions.finish("s", file, project_bytes_max=100) == file
    again = await sessions.finish("s", replace(file, id="another"), project_bytes_max=100)
    assert again == file
    assert await files.find(PROJECT, "another") is None
    assert await sessions.find("s") == a_session(state=UploadState.FINAL, result_file="made")
    assert not await sessions.cancel("s")
    await sessions.create(a_session("next"), open_max=1)


async def test_a_session_whose_name_is_taken_stays_as_it_was(
    sessions: UploadSessions, files: FileRows
) -> None:
    await sessions.create(a_session(), open_max=1)
    await files.create(a_file("made"), project_bytes_max=100)
    with pytest.raises(AlreadyExists):
        await sessions.finish("s", a_file("made"), project_bytes_max=100)
    assert await sessions.find("s") == a_session()


async def test_a_cancelled_session_makes_no_file(sessions: UploadSessions, files: FileRows) -> None:
    await sessions.create(a_session(), open_max=1)
    assert await sessions.cancel("s")
    assert await sessions.cancel("s")
    assert not await sessions.cancel("none")
    with pytest.raises(NotFound):
        await sessions.finish("s", a_file("made"), project_bytes_max=100)
    assert await files.find(PROJECT, "made") is None


async def test_sessions_expire_and_are_forgotten(sessions: UploadSessions) -> None:
    await sessions.create(a_session(), open_max=1)
    assert await sessions.expired(LATER - timedelta(microseconds=1)) == []
    assert await sessions.expired(LATER) == [a_session()]
    await sessions.forget("s")
    await sessions.forget("s")
    assert await sessions.find("s") is None


async def test_a_revoked_key_keeps_its_row_and_opens_nothing(database: Database) -> None:
    issued = KeyRows(database)
    assert not await issued.any_exist()
    key = IssuedKey(
        id="k", sha256="f" * 64, project=PROJECT, label="ci", prefix="tpl_abcdef", created=NOON
    )
    await issued.add(key)
    assert await issued.holder_of("f" * 64) == KeyHolder(project=PROJECT, key_id="k")
    assert await issued.holder_of("e" * 64) is None
    await issued.revoke("k", LATER)
    await issued.revoke("k", LATER + timedelta(hours=1))
    assert await issued.holder_of("f" * 64) is None
    assert await issued.all() == [replace(key, revoked=LATER)]
    assert await issued.any_exist()
