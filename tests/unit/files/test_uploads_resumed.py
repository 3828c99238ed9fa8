"""Uploads that are interrupted: by the client, by a restart, by a kill, by each other."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest

from support.files.upload_world import PROJECT, UploadWorld, broken, chunks, endless
from support.store.read_only import read_only
from toplu.errors import NotFound
from toplu.files.parts.partial_file import PartialFiles
from toplu.store.blobs.blobs import DiskBlobs
from toplu.wire.gemini.file import FileMetadata

MEBIBYTE = 1024 * 1024
DATA = bytes(range(251)) * 12_000  # about 3 MB, and no two megabytes alike


async def test_what_came_before_the_client_went_away_stays(world: UploadWorld) -> None:
    upload_id = await world.start(len(DATA))
    with pytest.raises(ConnectionError):
        await world.uploads.append(upload_id, 0, broken(DATA[:MEBIBYTE], DATA[MEBIBYTE:2_000_000]))
    assert await world.received_bytes(upload_id) == 2_000_000
    await world.append(upload_id, 2_000_000, DATA[2_000_000:])
    file = await world.uploads.finalize(upload_id)
    assert file.sha256 == hashlib.sha256(DATA).hexdigest()


async def test_a_cancelled_call_leaves_an_upload_that_goes_on(world: UploadWorld) -> None:
    upload_id = await world.start(len(DATA))
    sent = asyncio.Event()
    pieces = [DATA[start : start + 100_000] for start in range(0, 2_000_000, 100_000)]
    async with asyncio.TaskGroup() as tasks:
        call = tasks.create_task(world.uploads.append(upload_id, 0, endless(sent, *pieces)))
        await sent.wait()
        call.cancel()
    received_bytes = await world.received_bytes(upload_id)
    assert 0 < received_bytes <= 2_000_000
    await world.append(upload_id, received_bytes, DATA[received_bytes:])
    file = await world.uploads.finalize(upload_id)
    assert await world.content(file) == DATA
    assert file.sha256 == hashlib.sha256(DATA).hexdigest()


@pytest.mark.parametrize("cut", [0, 1, MEBIBYTE, 1_500_000])
async def test_an_upload_goes_on_after_a_restart(world: UploadWorld, cut: int) -> None:
    upload_id = await world.start(len(DATA))
    await world.append(upload_id, 0, DATA[:cut])
    after = world.restarted()
    assert await after.received_bytes(upload_id) == cut
    await after.append(upload_id, cut, DATA[cut:])
    file = await after.uploads.finalize(upload_id)
    assert file.sha256 == hashlib.sha256(DATA).hexdigest()
    assert await after.content(file) == DATA


async def test_bytes_of_a_killed_write_count_as_far_as_they_came(world: UploadWorld) -> None:
    upload_id = await world.start(len(DATA))
    await world.append(upload_id, 0, DATA[:1000])
    (part,) = world.bytes_left()
    with part.open("ab") as file:
        file.write(DATA[1000:1777])
    after = world.restarted()
    assert await after.received_bytes(upload_id) == 1777
    # The client knows of the first thousand only, and sends from there.
    assert await after.append(upload_id, 1000, DATA[1000:]) == len(DATA)
    kept = await after.uploads.finalize(upload_id)
    assert kept.sha256 == hashlib.sha256(DATA).hexdigest()


async def test_a_crash_in_the_middle_of_finalize_is_made_good_by_the_next(
    world: UploadWorld,
) -> None:
    upload_id = await world.start(5)
    await world.append(upload_id, 0, b"hello")
    (part,) = world.bytes_left()
    id_hash = part.name.removesuffix(".part")
    await world.blobs.adopt(part, f"files/{id_hash}")

    after = world.restarted()
    assert await after.received_bytes(upload_id) == 5
    assert await after.append(upload_id, 0, b"hello") == 5
    file = await after.uploads.finalize(upload_id)
    assert file.sha256 == hashlib.sha256(b"hello").hexdigest()
    assert await after.content(file) == b"hello"


async def test_bytes_that_no_finalize_ever_claimed_expire(world: UploadWorld) -> None:
    upload_id = await world.start(5)
    await world.append(upload_id, 0, b"hello")
    (part,) = world.bytes_left()
    await world.blobs.adopt(part, f"files/{part.name.removesuffix('.part')}")
    world.clock.advance(timedelta(seconds=world.settings.upload_life_seconds))
    await world.library.forget_expired(world.clock.now())
    assert world.bytes_left() == []
    with pytest.raises(NotFound):
        await world.uploads.query(upload_id)


async def test_a_second_append_waits_for_the_first(world: UploadWorld) -> None:
    upload_id = await world.start(len(DATA))
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield DATA[:1_500_000]
        entered.set()
        await go_on.wait()
        yield DATA[1_500_000:]

    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(world.uploads.append(upload_id, 0, slow()))
        await entered.wait()
        # The same request once more: a client that lost wait_limits.
        second = tasks.create_task(world.append(upload_id, 0, DATA))
        for _ in range(20):
            # Each takes the threads that the second one would need.
            await world.received_bytes(upload_id)
            assert not second.done()
        go_on.set()
    assert first.result() == second.result() == len(DATA)
    assert await world.content(await world.uploads.finalize(upload_id)) == DATA


async def test_uploads_of_many_clients_do_not_mix(world: UploadWorld) -> None:
    upload_ids = [await world.start(1_500_000) for _ in range(3)]

    async def send(upload_id: str, byte: bytes) -> bytes:
        for start in range(0, 1_500_000, 500_000):
            await world.append(upload_id, start, *[byte * 50_000] * 10)
        return await world.content(await world.uploads.finalize(upload_id))

    async with asyncio.TaskGroup() as tasks:
        sent = [
            tasks.create_task(send(upload_id, byte))
            for upload_id, byte in zip(upload_ids, (b"a", b"b", b"c"), strict=True)
        ]
    assert [task.result() for task in sent] == [byte * 1_500_000 for byte in (b"a", b"b", b"c")]


async def test_a_cancellation_in_the_middle_of_an_append_ends_it(world: UploadWorld) -> None:
    upload_id = await world.start(None)
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"ab"
        entered.set()
        await go_on.wait()
        yield b"cd"

    async with asyncio.TaskGroup() as tasks:
        append = tasks.create_task(_outcome(world, upload_id, slow()))
        await entered.wait()
        await world.uploads.cancel(upload_id)
        go_on.set()
    assert isinstance(append.result(), NotFound)
    assert world.bytes_left() == []


async def _outcome(world: UploadWorld, upload_id: str, pieces: AsyncIterator[bytes]) -> object:
    try:
        return await world.uploads.append(upload_id, 0, pieces)
    except NotFound as error:
        return error


async def test_a_whole_upload_that_breaks_off_leaves_nothing(world: UploadWorld) -> None:
    with pytest.raises(ConnectionError):
        await world.uploads.whole(PROJECT, FileMetadata(name="mine"), chunks=broken(b"half"))
    assert world.bytes_left() == []
    file = await world.uploads.whole(PROJECT, FileMetadata(name="mine"), chunks=chunks(b"whole"))
    assert await world.content(file) == b"whole"


async def test_a_full_disk_at_the_end_leaves_an_upload_that_can_be_finalized(
    world: UploadWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id = await world.start(5)
    await world.append(upload_id, 0, b"hello")

    async def is_full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(DiskBlobs, "adopt", is_full)
        with pytest.raises(OSError, match="No space left"):
            await world.uploads.finalize(upload_id)
    assert await world.content(await world.uploads.finalize(upload_id)) == b"hello"


async def test_an_upload_that_cannot_begin_is_not_among_the_open_ones(
    world: UploadWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def is_full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(PartialFiles, "create", is_full)
        for _ in range(world.settings.open_uploads_max + 1):
            with pytest.raises(OSError, match="No space left"):
                await world.start(5)
    await world.start(5)


async def test_an_upload_that_fills_the_disk_gives_its_bytes_back_though_no_row_can_be_written(
    world: UploadWorld,
) -> None:
    async def filling() -> AsyncIterator[bytes]:
        yield b"x" * 1000
        await stack.enter_async_context(read_only(world.database))

    async with AsyncExitStack() as stack:
        with pytest.raises(OSError, match="Read-only"):
            await world.uploads.whole(PROJECT, FileMetadata(name="mine"), chunks=filling())
        assert world.bytes_left() == []
    await world.keep(name="mine")
