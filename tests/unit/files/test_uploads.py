"""Uploads: their content, their names and their bounds."""

import hashlib
from datetime import timedelta

import msgspec
import pytest

from support.files.upload_world import PROJECT, UploadWorld, chunks
from toplu.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    TopluError,
)
from toplu.files.uploads import OffsetMismatch, UploadState
from toplu.job import ProjectId
from toplu.wire.gemini.file import FileMetadata


async def test_an_upload_becomes_a_file(world: UploadWorld) -> None:
    upload_id = await world.start(12, display_name="My Input", mime_type="jsonl")
    assert len(upload_id) >= 32
    assert await world.append(upload_id, 0, b"hello ", b"world") == 11
    assert await world.append(upload_id, 11, b"!") == 12
    file = await world.uploads.finalize(upload_id)
    assert (file.display_name, file.mime_type, file.size_bytes) == ("My Input", "jsonl", 12)
    assert file.sha256 == hashlib.sha256(b"hello world!").hexdigest()
    assert file.expires == world.clock.now() + timedelta(hours=48)
    assert len(file.id) == 12
    assert await world.library.get(PROJECT, f"files/{file.id}") == file
    assert await world.content(file) == b"hello world!"


async def test_the_upload_id_is_not_kept(world: UploadWorld) -> None:
    upload_id = await world.start(1)
    assert await world.sessions.find(upload_id) is None
    kept = (world.settings.data_dir / "toplu.db-wal").read_bytes()
    assert upload_id.encode() not in kept
    assert all(upload_id not in path.name for path in world.bytes_left())


async def test_finalizing_again_gives_the_same_file(world: UploadWorld) -> None:
    upload_id = await world.start(3)
    await world.append(upload_id, 0, b"abc")
    file = await world.uploads.finalize(upload_id)
    assert await world.uploads.finalize(upload_id) == file
    # The whole last request again, because its reply was lost.
    assert await world.append(upload_id, 0, b"abc") == 3
    assert await world.uploads.finalize(upload_id) == file
    progress = await world.uploads.query(upload_id)
    assert (progress.state, progress.received_bytes, progress.file) == (UploadState.FINAL, 3, file)
    with pytest.raises(InvalidArgument, match="complete"):
        await world.append(upload_id, 0, b"abX")
    with pytest.raises(InvalidArgument, match="complete"):
        await world.append(upload_id, 3, b"more")


async def test_an_empty_last_request_finishes_an_upload(world: UploadWorld) -> None:
    upload_id = await world.start(3)
    await world.append(upload_id, 0, b"abc")
    assert await world.append(upload_id, 3) == 3
    assert (await world.uploads.finalize(upload_id)).size_bytes == 3


async def test_an_empty_file_is_a_file(world: UploadWorld) -> None:
    upload_id = await world.start(0)
    assert await world.append(upload_id, 0) == 0
    file = await world.uploads.finalize(upload_id)
    assert (file.size_bytes, file.sha256) == (0, hashlib.sha256().hexdigest())
    assert await world.content(file) == b""


async def test_more_bytes_than_declared_are_refused(world: UploadWorld) -> None:
    upload_id = await world.start(2)
    with pytest.raises(InvalidArgument, match="more bytes than the 2"):
        await world.append(upload_id, 0, b"abc")


async def test_fewer_bytes_than_declared_make_no_file(world: UploadWorld) -> None:
    upload_id = await world.start(4)
    await world.append(upload_id, 0, b"abc")
    with pytest.raises(InvalidArgument, match="4 bytes, but 3 have been received"):
        await world.uploads.finalize(upload_id)
    await world.append(upload_id, 3, b"d")
    assert (await world.uploads.finalize(upload_id)).size_bytes == 4


async def test_an_upload_of_unknown_length_ends_where_it_ends(world: UploadWorld) -> None:
    upload_id = await world.start(None)
    await world.append(upload_id, None, b"abc")
    await world.append(upload_id, None, b"def")
    assert (await world.uploads.finalize(upload_id)).size_bytes == 6


async def test_a_file_over_the_limit_is_refused_as_soon_as_it_shows(world: UploadWorld) -> None:
    with pytest.raises(InvalidArgument, match="5000000"):
        await world.start(5_000_001)
    upload_id = await world.start(None)
    with pytest.raises(InvalidArgument, match="5000000"):
        await world.append(upload_id, 0, *[b"x" * 1_000_000] * 5, b"y")
    assert await world.received_bytes(upload_id) == 5_000_000


@pytest.mark.parametrize(
    ("offset", "data", "received_bytes"),
    [
        (4, b"ef", 6),  # where the last one ended
        (None, b"ef", 6),
        (0, b"abcd", 4),  # the same again
        (1, b"bc", 4),
        (2, b"cdef", 6),  # the same and more
        (4, b"", 4),
        (0, b"", 4),
    ],
)
async def test_bytes_may_come_again_if_they_are_the_same(
    world: UploadWorld, offset: int | None, data: bytes, received_bytes: int
) -> None:
    upload_id = await world.start(None)
    await world.append(upload_id, 0, b"abcd")
    assert await world.append(upload_id, offset, data) == received_bytes
    file = await world.uploads.finalize(upload_id)
    assert await world.content(file) == b"abcdef"[:received_bytes]
    assert file.sha256 == hashlib.sha256(b"abcdef"[:received_bytes]).hexdigest()


@pytest.mark.parametrize(("offset", "data"), [(0, b"abXd"), (3, b"Xe"), (1, b"bcX")])
async def test_bytes_that_differ_from_those_received_are_refused(
    world: UploadWorld, offset: int, data: bytes
) -> None:
    upload_id = await world.start(None)
    await world.append(upload_id, 0, b"abcd")
    with pytest.raises(InvalidArgument, match="differ"):
        await world.append(upload_id, offset, data)
    assert await world.received_bytes(upload_id) == 4


async def test_a_gap_is_refused_with_both_numbers(world: UploadWorld) -> None:
    upload_id = await world.start(None)
    await world.append(upload_id, 0, b"abcd")
    with pytest.raises(OffsetMismatch, match=r"offset is 9, but only 4 bytes") as caught:
        await world.append(upload_id, 9, b"x")
    assert caught.value.received_bytes == 4
    assert await world.append(upload_id, 4, b"e") == 5


async def test_open_uploads_are_bounded(world: UploadWorld) -> None:
    upload_ids = [await world.start(1) for _ in range(3)]
    with pytest.raises(ResourceExhausted, match="3 uploads"):
        await world.start(1)
    assert len(world.bytes_left()) == 3
    await world.uploads.cancel(upload_ids[0])
    await world.start(1)


async def test_the_room_of_a_project_is_checked_at_both_ends(world: UploadWorld) -> None:
    upload_id = await world.start(3_500_000)
    with pytest.raises(ResourceExhausted):
        await world.start(3_500_000)
    await world.append(upload_id, 0, b"x" * 3_500_000)
    # The project was given less room meanwhile.
    world.settings = msgspec.structs.replace(world.settings, project_bytes_max=3_000_000)
    with pytest.raises(ResourceExhausted):
        await world.uploads.finalize(upload_id)
    # An upload that cannot end well leaves nothing.
    assert world.bytes_left() == []
    assert (await world.uploads.query(upload_id)).state is UploadState.CANCELLED
    other = await world.uploads.start(ProjectId("b"), FileMetadata(), declared_bytes=3_000_000)
    assert other


@pytest.mark.parametrize("name", ["files/my-name", "my-name"])
async def test_a_file_may_have_a_name_of_the_clients_choice(world: UploadWorld, name: str) -> None:
    file = await world.keep(name=name)
    assert file.id == "my-name"
    with pytest.raises(AlreadyExists) as caught:
        await world.start(1, name=name)
    assert caught.value.message == "my-name already exists."


async def test_of_two_uploads_with_one_name_the_first_to_finish_has_it(world: UploadWorld) -> None:
    first, second = await world.start(None, name="a"), await world.start(None, name="a")
    await world.append(first, 0, b"first")
    await world.append(second, 0, b"second")
    file = await world.uploads.finalize(second)
    with pytest.raises(AlreadyExists):
        await world.uploads.finalize(first)
    assert await world.content(await world.library.get(PROJECT, "a")) == b"second"
    assert [path.name for path in world.bytes_left()] == [file.blob.removeprefix("files/")]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("files/", "lowercase"),
        ("-a", "lowercase"),
        ("a-", "lowercase"),
        ("My-Name", "lowercase"),
        ("a_b", "lowercase"),
        ("a/b", "lowercase"),
        ("a\n", "lowercase"),
        ("ü", "lowercase"),
        ("a" * 41, "more than 40 characters"),
        ("batch-" + "a1" * 17, "results of a batch"),
    ],
)
async def test_a_name_that_cannot_be_one_is_refused(
    world: UploadWorld, name: str, reason: str
) -> None:
    with pytest.raises(InvalidArgument, match=reason):
        await world.start(1, name=name)


@pytest.mark.parametrize("name", ["a", "0", "a" * 40, "a--b", "batch-input-1"])
async def test_a_name_within_the_rules_is_taken(world: UploadWorld, name: str) -> None:
    assert (await world.keep(name=name)).id == name


async def test_the_metadata_names_the_mime_type_before_the_header(world: UploadWorld) -> None:
    about = FileMetadata(mime_type="jsonl")
    upload_id = await world.uploads.start(PROJECT, about, mime_type="application/json")
    assert (await world.uploads.finalize(upload_id)).mime_type == "jsonl"


async def test_a_cancelled_upload_takes_nothing_more(world: UploadWorld) -> None:
    upload_id = await world.start(None)
    await world.append(upload_id, 0, b"abc")
    await world.uploads.cancel(upload_id)
    await world.uploads.cancel(upload_id)
    assert world.bytes_left() == []
    assert (await world.uploads.query(upload_id)).state is UploadState.CANCELLED
    with pytest.raises(FailedPrecondition, match="cancelled"):
        await world.append(upload_id, 3, b"d")
    with pytest.raises(FailedPrecondition, match="cancelled"):
        await world.uploads.finalize(upload_id)


async def test_a_finished_upload_cannot_be_cancelled(world: UploadWorld) -> None:
    upload_id = await world.start(None)
    file = await world.uploads.finalize(upload_id)
    with pytest.raises(FailedPrecondition, match="finished"):
        await world.uploads.cancel(upload_id)
    assert await world.library.get(PROJECT, file.id) == file


async def test_an_unknown_or_expired_upload_is_gone(world: UploadWorld) -> None:
    upload_id = await world.start(None)
    world.clock.advance(timedelta(seconds=world.settings.upload_life_seconds))
    for gone in (upload_id, "never-given"):
        with pytest.raises(NotFound):
            await world.append(gone, 0, b"x")
        with pytest.raises(NotFound):
            await world.uploads.finalize(gone)
        with pytest.raises(NotFound):
            await world.uploads.query(gone)
        with pytest.raises(NotFound):
            await world.uploads.cancel(gone)


async def test_a_whole_upload_that_is_refused_leaves_nothing(world: UploadWorld) -> None:
    too_much = [b"x" * 1_000_000] * 6
    with pytest.raises(TopluError):
        await world.uploads.whole(PROJECT, FileMetadata(), chunks=chunks(*too_much))
    assert world.bytes_left() == []
    for _ in range(4):
        await world.keep()
