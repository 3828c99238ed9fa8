"""Kept files: who finds them, how lists run, and how they go."""

from datetime import timedelta

import pytest

from support.files.upload_world import PROJECT, UploadWorld
from toplu.errors import InvalidArgument, PermissionDenied
from toplu.job import ProjectId
from toplu.store.blobs.blobs import DiskBlobs
from toplu.store.rows.files import FileRows

LIFE = timedelta(hours=48)


@pytest.mark.parametrize("form", ["{}", "files/{}", "https://host/v1beta/files/{}"])
async def test_a_file_is_found_by_name_id_or_uri(world: UploadWorld, form: str) -> None:
    file = await world.keep()
    assert await world.library.get(PROJECT, form.format(file.id)) == file


@pytest.mark.parametrize("project", [PROJECT, ProjectId("team-b")])
async def test_a_missing_and_a_foreign_file_look_alike(
    world: UploadWorld, project: ProjectId
) -> None:
    name = "abc123"
    if project != PROJECT:
        await world.keep(name=name)
    for call in (world.library.get, world.library.delete):
        with pytest.raises(PermissionDenied) as caught:
            await call(project, f"files/{name}")
        assert caught.value.message == (
            "You do not have permission to access the File abc123 or it may not exist."
        )


async def test_an_id_that_is_too_long_is_refused_as_hosted(world: UploadWorld) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await world.library.get(PROJECT, "files/" + "a" * 41)
    assert caught.value.message == (
        "* GetFileRequest.name: File ID (name excluding 'files/') cannot be more than 40 "
        "characters.\n"
    )


async def test_a_display_name_has_512_characters_at_most(world: UploadWorld) -> None:
    assert (await world.keep(display_name="ü" * 512)).display_name == "ü" * 512
    with pytest.raises(InvalidArgument, match="512"):
        await world.start(1, display_name="u" * 513)


async def test_pages_lead_through_all_files(world: UploadWorld) -> None:
    names = ["a", "b", "c", "d", "e"]
    for name in names:
        await world.keep(name=name)
        world.clock.advance(timedelta(microseconds=1))
    seen, token = [], None
    for expected_size in (2, 2, 1):
        page, token = await world.library.page(PROJECT, size=2, token=token)
        assert len(page) == expected_size
        seen += [file.id for file in page]
    assert token is None
    assert seen == names[::-1]
    assert await world.library.page(ProjectId("team-b"), size=2) == ([], None)
    page, token = await world.library.page(PROJECT, size=5)
    assert (len(page), token) == (5, None)


@pytest.mark.parametrize("token", ["x", "%%%", "AAAA", "ü", "MTIz", "OTk5OTk5OTk5OTk5OTk5OTk5OTph"])
async def test_a_page_token_that_is_not_ours_is_refused(world: UploadWorld, token: str) -> None:
    with pytest.raises(InvalidArgument, match="page token"):
        await world.library.page(PROJECT, size=2, token=token)


async def test_a_deleted_file_is_gone_with_its_bytes_and_frees_its_name(
    world: UploadWorld,
) -> None:
    await world.keep(name="mine")
    await world.library.delete(PROJECT, "files/mine")
    assert world.bytes_left() == []
    with pytest.raises(PermissionDenied):
        await world.library.get(PROJECT, "mine")
    with pytest.raises(PermissionDenied):
        await world.library.delete(PROJECT, "mine")
    await world.keep(b"again", name="mine")


async def test_an_expired_file_is_missing_before_it_is_removed(world: UploadWorld) -> None:
    file = await world.keep(name="mine")
    world.clock.advance(LIFE - timedelta(microseconds=1))
    assert await world.library.get(PROJECT, "mine") == file
    world.clock.advance(timedelta(microseconds=1))
    with pytest.raises(PermissionDenied):
        await world.library.get(PROJECT, "mine")
    assert await world.library.page(PROJECT, size=10) == ([], None)
    assert len(world.bytes_left()) == 1
    await world.library.forget_expired(world.clock.now())
    assert world.bytes_left() == []
    await world.keep(name="mine")


async def test_only_what_is_over_its_time_is_forgotten(world: UploadWorld) -> None:
    old = await world.keep(name="old")
    abandoned = await world.start(None)
    await world.append(abandoned, 0, b"half")
    world.clock.advance(timedelta(hours=1))
    young = await world.keep(name="young")
    running = await world.start(None)
    await world.append(running, 0, b"half")
    world.clock.advance(LIFE - timedelta(hours=1))
    await world.library.forget_expired(world.clock.now())
    assert await world.library.get(PROJECT, "young") == young
    assert await world.received_bytes(running) == 4
    assert len(world.bytes_left()) == 2
    with pytest.raises(PermissionDenied):
        await world.library.get(PROJECT, old.id)
    # A file outlives the session that made it.
    world.clock.advance(timedelta(minutes=59))
    await world.library.forget_expired(world.clock.now())
    assert await world.content(young) == b"data"


@pytest.mark.parametrize(
    ("place", "step"), [(FileRows, "mark_deleted"), (DiskBlobs, "delete"), (FileRows, "forget")]
)
@pytest.mark.parametrize("way", ["delete", "expiry"])
async def test_a_removal_that_crashed_anywhere_is_finished_by_the_next_round(
    world: UploadWorld, monkeypatch: pytest.MonkeyPatch, place: type, step: str, way: str
) -> None:
    await world.keep(name="mine")

    async def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(place, step, crash)
        removal = (
            world.library.delete(PROJECT, "mine")
            if way == "delete"
            else world.library.forget_expired(world.clock.now() + LIFE)
        )
        with pytest.raises(KeyboardInterrupt):
            await removal
    after = world.restarted()
    if way == "delete" and step == "mark_deleted":
        assert (await after.library.get(PROJECT, "mine")).id == "mine"
    world.clock.advance(LIFE)
    await after.library.forget_expired(world.clock.now())
    await after.library.forget_expired(world.clock.now())
    assert after.bytes_left() == []
    assert await after.files.deleted() == []
    await after.keep(name="mine")
