"""Blobs in a bucket: a small one is an object, a larger one a list of objects of 8 MiB.

    jobs/ID/order                       the bytes, up to 8 MiB
    jobs/ID/output.jsonl/00000000, …1   the pieces, in their order
    jobs/ID/output.jsonl/list           their sizes; there is no blob before it is there

A piece is put by itself, and again if need be: a task that is begun anew after a crash writes the
same pieces. Nothing is held open in the bucket, so that nothing is left there but what has a name.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from toplu.store.blobs.blobs import FOLDER, NAME
from toplu.store.blobs.bucket import Bucket
from toplu.store.blobs.scratch import Scratch

OBJECT_BYTES = 8 * 1024 * 1024
READ_BYTES = 1024 * 1024  # of a local file at a time
LIST = "list"
ABANDONED_AFTER = timedelta(days=1)
KNOWN_MAX = 1024  # blobs whose objects are remembered


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The objects that have the bytes of a blob."""

    keys: Sequence[str]
    sizes: Sequence[int]

    @property
    def size_bytes(self) -> int:
        return sum(self.sizes)

    def spans(self, offset: int, length: int) -> list[tuple[str, int, int]]:
        """Return (key, offset, length) of the parts of objects that a part of the blob is."""
        spans = []
        begin, end = 0, offset + length
        for key, size_bytes in zip(self.keys, self.sizes, strict=True):
            first, last = max(offset, begin), min(end, begin + size_bytes)
            if first < last:
                spans.append((key, first - begin, last - first))
            begin += size_bytes
        return spans


def piece_key(name: str, number: int) -> str:
    """Return the key of one of the objects of a blob."""
    return f"{name}/{number:08}"


def list_key(name: str) -> str:
    """Return the key of the object that says which objects a blob has."""
    return f"{name}/{LIST}"


class BucketBlobs:
    """Blobs as objects; `scratch` is for what has to be a file of this machine for a while."""

    is_remote = True

    def __init__(self, bucket: Bucket, scratch: Scratch) -> None:
        self._bucket = bucket
        self._scratch = scratch
        self._known: OrderedDict[str, Layout] = OrderedDict()

    async def adopt(self, path: Path, name: str) -> None:
        await self.put(name, _file_chunks(path))
        await asyncio.to_thread(path.unlink, missing_ok=True)

    async def put(self, name: str, chunks: AsyncIterator[bytes]) -> int:
        sizes: list[int] = []
        data = bytearray()
        async for chunk in chunks:
            data += chunk
            while len(data) > OBJECT_BYTES:
                await self._put_piece(_checked(name), sizes, bytes(data[:OBJECT_BYTES]))
                del data[:OBJECT_BYTES]
        if not sizes:
            await self._bucket.put(_checked(name), bytes(data))
            self._forget(name)
            return len(data)
        await self._put_piece(name, sizes, bytes(data))
        await self.join(name, sizes)
        # It may have been a small one before.
        await self._bucket.delete([name])
        return sum(sizes)

    async def join(self, name: str, sizes: Sequence[int]) -> None:
        """Make a blob of the pieces, which are there."""
        await self._bucket.put(list_key(_checked(name)), msgspec.json.encode(list(sizes)))
        self._forget(name)

    async def size(self, name: str) -> int | None:
        layout = await self._look(_checked(name))
        return None if layout is None else layout.size_bytes

    async def read(self, name: str, offset: int, length: int) -> bytes:
        layout = await self._layout(name)
        return b"".join([await self._bucket.read(*span) for span in layout.spans(offset, length)])

    async def read_pieces(self, name: str, pieces: Sequence[tuple[int, int]]) -> list[bytes]:
        layout = await self._layout(name)
        wanted: dict[str, list[tuple[int, int]]] = {}
        places: dict[str, list[int]] = {}
        for place, piece in enumerate(pieces):
            for key, offset, length in layout.spans(*piece):
                wanted.setdefault(key, []).append((offset, length))
                places.setdefault(key, []).append(place)
        read = [b""] * len(pieces)
        # In the order of the objects, so that what lies in two of them is put together.
        for key in layout.keys:
            if key in wanted:
                found = await self._bucket.read_many(key, wanted[key])
                for place, data in zip(places[key], found, strict=True):
                    read[place] += data
        return read

    @asynccontextmanager
    async def local(self, name: str, bytes_max: int | None = None) -> AsyncIterator[Path]:
        path = await asyncio.to_thread(self._scratch.new_path)
        try:
            with await asyncio.to_thread(path.open, "xb") as file:
                async for piece in self.stream(name, 0, bytes_max):
                    await asyncio.to_thread(file.write, piece)
            yield path
        finally:
            await asyncio.to_thread(path.unlink, missing_ok=True)

    def workshop(self) -> AbstractAsyncContextManager[Path]:
        return self._scratch.workshop()

    async def stream(
        self, name: str, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        layout = await self._layout(name)
        length = layout.size_bytes if length is None else length
        for span in layout.spans(offset, length):
            async for piece in self._bucket.stream(*span):
                yield piece

    async def link(self, source: str, target: str) -> None:
        layout = await self._layout(source)
        if layout.keys == [source]:
            await self._bucket.copy(source, _checked(target))
            self._forget(target)
            return
        keys = [piece_key(_checked(target), number) for number in range(len(layout.keys))]
        await self._bucket.copy_all(zip(layout.keys, keys, strict=True))
        await self.join(target, layout.sizes)
        await self._bucket.delete([target])

    async def delete(self, name: str) -> None:
        # The list first: without it there is no blob.
        await self._bucket.delete([_checked(name), list_key(name)])
        await self._bucket.delete_below(name)
        self._forget(name)

    async def delete_folder(self, folder: str) -> None:
        assert FOLDER.fullmatch(folder), "names of blobs are ours and safe as paths"
        await self._bucket.delete_below(folder)

    async def abandoned(self, folder: str, known: Collection[str]) -> list[str]:
        assert FOLDER.fullmatch(folder), "names of folders are ours and safe as paths"
        names = [name for name in await self._bucket.folders(folder) if name not in known]
        if not names:
            return []
        # The bucket's time on both sides: it may be off.
        before = await self._bucket.now() - ABANDONED_AFTER
        return [name for name in names if await self._is_older(f"{folder}/{name}", before)]

    async def _is_older(self, folder: str, before: datetime) -> bool:
        async for found in self._bucket.below(folder):
            if found.modified >= before:
                return False
        return True

    async def forget_unfinished(self) -> None:
        await asyncio.to_thread(self._scratch.clear)

    async def _put_piece(self, name: str, sizes: list[int], data: bytes) -> None:
        await self._bucket.put(piece_key(name, len(sizes)), data)
        sizes.append(len(data))

    async def _layout(self, name: str) -> Layout:
        """Return where the bytes are, as it was when they were looked for last."""
        if _checked(name) in self._known:
            self._known.move_to_end(name)
            return self._known[name]
        layout = await self._look(name)
        if layout is None:
            raise FileNotFoundError(name)
        return layout

    async def _look(self, name: str) -> Layout | None:
        self._forget(name)
        size_bytes = await self._bucket.size(name)
        if size_bytes is not None:
            layout = Layout(keys=[name], sizes=[size_bytes])
        else:
            try:
                listed = await self._bucket.read_all(list_key(name))
            except FileNotFoundError:
                return None
            sizes = msgspec.json.decode(listed, type=list[int])
            keys = [piece_key(name, number) for number in range(len(sizes))]
            layout = Layout(keys=keys, sizes=sizes)
        self._known[name] = layout
        if len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)
        return layout

    def _forget(self, name: str) -> None:
        self._known.pop(name, None)


def _checked(name: str) -> str:
    assert NAME.fullmatch(name), "names of blobs are ours and safe as paths"
    return name


async def _file_chunks(path: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(path.open, "rb") as file:
        while data := await asyncio.to_thread(file.read, READ_BYTES):
            yield data
