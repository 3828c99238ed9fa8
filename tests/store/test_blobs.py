"""The promises of every store of blobs; another one joins by a line in `conftest.blobs`."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from toplu.store.blobs import bucket_blobs
from toplu.store.blobs.blobs import PIECE_BYTES, Blobs, DiskBlobs

NAME = "jobs/one/input.jsonl"


async def chunks(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def broken(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
    raise ConnectionError("the other end is gone")


async def content(blobs: Blobs, name: str, offset: int = 0, length: int | None = None) -> bytes:
    return b"".join([piece async for piece in blobs.stream(name, offset, length)])


async def test_what_was_put_is_read(blobs: Blobs) -> None:
    assert await blobs.put(NAME, chunks(b"one ", b"", b"two")) == 7
    assert await blobs.size(NAME) == 7
    assert await content(blobs, NAME) == b"one two"


async def test_an_empty_blob_is_a_blob(blobs: Blobs) -> None:
    assert await blobs.put(NAME, chunks()) == 0
    assert await blobs.size(NAME) == 0
    assert await content(blobs, NAME) == b""


@pytest.mark.parametrize(
    ("offset", "length", "expected"),
    [(0, 3, b"012"), (4, 2, b"45"), (8, 5, b"89"), (10, 1, b""), (50, 1, b""), (3, 0, b"")],
)
async def test_a_span_ends_where_the_blob_ends(
    blobs: Blobs, offset: int, length: int, expected: bytes
) -> None:
    await blobs.put(NAME, chunks(b"0123456789"))
    assert await blobs.read(NAME, offset, length) == expected
    assert await content(blobs, NAME, offset, length) == expected


async def test_a_large_blob_comes_in_pieces(blobs: Blobs) -> None:
    data = bytes(range(256)) * 8192 + b"end"
    await blobs.put(NAME, chunks(data))
    pieces = [piece async for piece in blobs.stream(NAME)]
    assert b"".join(pieces) == data
    assert max(map(len, pieces)) <= PIECE_BYTES
    assert await content(blobs, NAME, 1000, PIECE_BYTES + 7) == data[1000 : 1007 + PIECE_BYTES]


async def test_pieces_are_read_wherever_they_lie(blobs: Blobs) -> None:
    data = bytes(range(256)) * (36 * 1024 * 4)  # 36 MiB: several objects, where it is objects
    await blobs.put(
        NAME, chunks(*(data[at : at + 5_000_000] for at in range(0, len(data), 5_000_000)))
    )
    assert await blobs.size(NAME) == len(data)
    border = 8 * 1024 * 1024
    places = [(len(data) - 9, 9), (border - 3, 7), (0, 4), (5, 0), (2 * border - 1, border + 2)]
    assert await blobs.read_pieces(NAME, places) == [data[at : at + size] for at, size in places]
    assert await blobs.read(NAME, border - 2, 5) == data[border - 2 : border + 3]
    assert await content(blobs, NAME, border - 1, 2 * border) == data[border - 1 : 3 * border - 1]
    await blobs.link(NAME, "jobs/two/large")
    await blobs.delete(NAME)
    assert await content(blobs, "jobs/two/large") == data


async def test_a_large_blob_takes_the_place_of_a_small_one_and_back(blobs: Blobs) -> None:
    large = b"x" * (9 * 1024 * 1024)
    for data in (b"small", large, b"smaller"):
        await blobs.put(NAME, chunks(data))
        assert await content(blobs, NAME) == data
        assert await blobs.size(NAME) == len(data)
    await blobs.delete(NAME)
    assert await blobs.size(NAME) is None


async def test_a_blob_is_a_file_for_those_that_need_one(blobs: Blobs) -> None:
    await blobs.put(NAME, chunks(b"0123456789"))
    async with blobs.local(NAME) as path:
        assert path.read_bytes() == b"0123456789"
    async with blobs.local(NAME, bytes_max=4) as path:
        assert path.read_bytes().startswith(b"0123")
    async with blobs.workshop() as folder:
        (folder / "made").write_bytes(b"made")
        await blobs.adopt(folder / "made", "jobs/one/made")
    assert not folder.exists()
    assert await content(blobs, "jobs/one/made") == b"made"


async def test_a_missing_blob_has_no_size_and_cannot_be_read(blobs: Blobs) -> None:
    assert await blobs.size(NAME) is None
    with pytest.raises(FileNotFoundError):
        await blobs.read(NAME, 0, 1)
    with pytest.raises(FileNotFoundError):
        await content(blobs, NAME)
    with pytest.raises(FileNotFoundError):
        await blobs.link(NAME, "jobs/two/input.jsonl")


async def test_a_blob_that_breaks_off_never_appears(blobs: Blobs) -> None:
    with pytest.raises(ConnectionError):
        await blobs.put(NAME, broken(b"half"))
    assert await blobs.size(NAME) is None


async def test_putting_again_replaces_the_whole(blobs: Blobs) -> None:
    await blobs.put(NAME, chunks(b"a long first attempt"))
    with pytest.raises(ConnectionError):
        await blobs.put(NAME, broken(b"half"))
    assert await content(blobs, NAME) == b"a long first attempt"
    await blobs.put(NAME, chunks(b"second"))
    assert await content(blobs, NAME) == b"second"


async def test_an_adopted_file_moves_under_its_name(blobs: Blobs, tmp_path: Path) -> None:
    path = tmp_path / "finished"
    path.write_bytes(b"adopted")
    await blobs.adopt(path, NAME)
    assert not path.exists()
    assert await content(blobs, NAME) == b"adopted"
    with pytest.raises(FileNotFoundError):
        await blobs.adopt(path, NAME)
    assert await content(blobs, NAME) == b"adopted"


@pytest.mark.parametrize("gone", ["files/source", "jobs/two/target"])
async def test_two_names_of_the_same_bytes_live_apart(blobs: Blobs, gone: str) -> None:
    await blobs.put("files/source", chunks(b"shared"))
    await blobs.link("files/source", "jobs/two/target")
    await blobs.link("files/source", "jobs/two/target")
    await blobs.delete(gone)
    (left,) = {"files/source", "jobs/two/target"} - {gone}
    assert await blobs.size(gone) is None
    assert await content(blobs, left) == b"shared"


async def test_a_link_replaces_what_had_the_name(blobs: Blobs) -> None:
    await blobs.put("files/source", chunks(b"after"))
    await blobs.put("jobs/two/target", chunks(b"before"))
    await blobs.link("files/source", "jobs/two/target")
    assert await content(blobs, "jobs/two/target") == b"after"


async def test_deleting_is_done_once_or_again(blobs: Blobs) -> None:
    await blobs.put(NAME, chunks(b"x"))
    await blobs.delete(NAME)
    await blobs.delete(NAME)
    assert await blobs.size(NAME) is None


async def test_a_folder_goes_with_everything_in_it_and_nothing_beside(blobs: Blobs) -> None:
    for name in ("jobs/one/a", "jobs/one/deep/b", "jobs/one-more/c"):
        await blobs.put(name, chunks(b"x"))
    await blobs.delete_folder("jobs/one")
    await blobs.delete_folder("jobs/one")
    sizes = [await blobs.size(f"jobs/{name}") for name in ("one/a", "one/deep/b", "one-more/c")]
    assert sizes == [None, None, 1]


async def test_what_nobody_knows_is_found_when_it_is_nobodys(
    blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await blobs.abandoned("jobs", ()) == []
    for name in ("jobs/one/a", "jobs/two/b", "jobs/three/c", "files/d"):
        await blobs.put(name, chunks(b"x"))
    if blobs.is_remote:  # its rows may be on their way
        assert await blobs.abandoned("jobs", {"two"}) == []
        monkeypatch.setattr(bucket_blobs, "ABANDONED_AFTER", timedelta(seconds=-10))
    assert sorted(await blobs.abandoned("jobs", {"two"})) == ["one", "three"]


async def test_a_deletion_does_not_cut_off_who_is_reading_from_a_disk(tmp_path: Path) -> None:
    blobs = DiskBlobs(tmp_path)
    data = b"x" * (3 * PIECE_BYTES)
    await blobs.put(NAME, chunks(data))
    stream = blobs.stream(NAME)
    first = await anext(stream)
    await blobs.delete(NAME)
    rest = [piece async for piece in stream]
    assert first + b"".join(rest) == data


@pytest.mark.parametrize(
    "name", ["", "a", "/etc/passwd", "../a/b", "a/../b", "a//b", "a/b/", "a/.b", "a/b\n", "a/ü"]
)
async def test_a_name_that_is_not_ours_is_a_bug(blobs: Blobs, name: str) -> None:
    with pytest.raises(AssertionError):
        await blobs.size(name)


async def test_what_a_crash_left_unfinished_is_cleared_at_the_start(tmp_path: Path) -> None:
    blobs = DiskBlobs(tmp_path)
    await blobs.put(NAME, chunks(b"whole"))
    (tmp_path / ".unfinished" / "left").write_bytes(b"half")
    await blobs.forget_unfinished()
    await blobs.forget_unfinished()
    assert not (tmp_path / ".unfinished").exists()
    assert await content(blobs, NAME) == b"whole"
