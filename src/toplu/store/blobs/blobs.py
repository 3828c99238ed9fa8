"""Immutable bytes under a name, and their home on a local disk; `bucket_blobs` has them in S3.

A blob appears as a whole or not at all. Names are ours, `folder/name` or deeper, and a name is not
used twice for different bytes but to write again what a crash may have cut short.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from toplu.store.blobs.folders import remove_tree, sync_folder
from toplu.store.blobs.scratch import Scratch

PIECE_BYTES = 1024 * 1024
PART = r"[A-Za-z0-9_-][A-Za-z0-9_.-]*"
NAME = re.compile(rf"{PART}(/{PART})+")
FOLDER = re.compile(rf"{PART}(/{PART})*")
UNFINISHED = ".unfinished"


class Blobs(Protocol):
    """A store of blobs; reading one that is not there raises FileNotFoundError."""

    is_remote: bool  # each read is a call: what is read together has to lie together

    async def adopt(self, path: Path, name: str) -> None:
        """Take over a finished local file; once this returns, it is durable under its name."""
        ...

    async def put(self, name: str, chunks: AsyncIterator[bytes]) -> int:
        """Keep the chunks and return how many bytes they are, once they are durable."""
        ...

    async def size(self, name: str) -> int | None:
        """Return the number of bytes, or None if there is no such blob."""
        ...

    async def read(self, name: str, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset`, fewer only where the blob ends."""
        ...

    async def read_pieces(self, name: str, pieces: Sequence[tuple[int, int]]) -> list[bytes]:
        """Return the bytes of each (offset, length)."""
        ...

    def local(self, name: str, bytes_max: int | None = None) -> AbstractAsyncContextManager[Path]:
        """Give a file on this machine that has the blob's bytes, or at least the first of them."""
        ...

    def workshop(self) -> AbstractAsyncContextManager[Path]:
        """Give an empty folder to make files in; what is not adopted from it goes at the end."""
        ...

    def stream(self, name: str, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Yield the bytes in pieces of a megabyte at most.

        A deletion meanwhile cuts nothing off on a disk; elsewhere it is a FileNotFoundError.
        """
        ...

    async def link(self, source: str, target: str) -> None:
        """Give the bytes a second name; each lives as long as itself, whatever the other does."""
        ...

    async def delete(self, name: str) -> None:
        """Remove the blob; idempotent."""
        ...

    async def delete_folder(self, folder: str) -> None:
        """Remove every blob whose name begins with `folder/`; idempotent."""
        ...

    async def abandoned(self, folder: str, known: Collection[str]) -> list[str]:
        """Return the names of folders inside that are not among the known, and nobody's.

        On a disk its caller has it alone; elsewhere nothing was added to them for a day.
        """
        ...

    async def forget_unfinished(self) -> None:
        """Remove what a crash left half-written; for the start, before anything is written."""
        ...


class DiskBlobs:
    """Blobs as files under one folder."""

    is_remote = False

    def __init__(self, root: Path) -> None:
        self._root = root
        self._scratch = Scratch(root / UNFINISHED)

    async def adopt(self, path: Path, name: str) -> None:
        await asyncio.to_thread(self._adopt, path, self._path(name))

    async def put(self, name: str, chunks: AsyncIterator[bytes]) -> int:
        target = self._path(name)
        path = await asyncio.to_thread(self._scratch.new_path)
        size_bytes = 0
        try:
            with path.open("xb") as file:
                async for chunk in chunks:
                    await asyncio.to_thread(file.write, chunk)
                    size_bytes += len(chunk)
            await asyncio.to_thread(self._adopt, path, target)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return size_bytes

    async def size(self, name: str) -> int | None:
        return await asyncio.to_thread(_size, self._path(name))

    async def read(self, name: str, offset: int, length: int) -> bytes:
        return await asyncio.to_thread(_read, self._path(name), offset, length)

    async def read_pieces(self, name: str, pieces: Sequence[tuple[int, int]]) -> list[bytes]:
        return await asyncio.to_thread(_read_pieces, self._path(name), pieces)

    @asynccontextmanager
    async def local(self, name: str, bytes_max: int | None = None) -> AsyncIterator[Path]:
        del bytes_max  # all of it is here
        yield self._path(name)

    def workshop(self) -> AbstractAsyncContextManager[Path]:
        return self._scratch.workshop()

    async def stream(
        self, name: str, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        with await _open_in_thread(self._path(name), offset) as file:
            left = length
            while left is None or left > 0:
                wanted = PIECE_BYTES if left is None else min(PIECE_BYTES, left)
                piece = await asyncio.to_thread(file.read, wanted)
                if not piece:
                    return
                if left is not None:
                    left -= len(piece)
                yield piece

    async def link(self, source: str, target: str) -> None:
        await asyncio.to_thread(self._link, self._path(source), self._path(target))

    async def delete(self, name: str) -> None:
        await asyncio.to_thread(self._path(name).unlink, missing_ok=True)

    async def delete_folder(self, folder: str) -> None:
        assert FOLDER.fullmatch(folder), "names of blobs are ours and safe as paths"
        await asyncio.to_thread(remove_tree, self._root / folder)

    async def abandoned(self, folder: str, known: Collection[str]) -> list[str]:
        assert FOLDER.fullmatch(folder), "names of folders are ours and safe as paths"
        names = await asyncio.to_thread(_list_folders, self._root / folder)
        return [name for name in names if name not in known]

    async def forget_unfinished(self) -> None:
        await asyncio.to_thread(self._scratch.clear)

    def _path(self, name: str) -> Path:
        assert NAME.fullmatch(name), "names of blobs are ours and safe as paths"
        return self._root / name

    def _make_folder(self, folder: Path) -> None:
        """Make the folder and those above it, each durable in the one that holds it."""
        if not folder.exists():
            self._make_folder(folder.parent)
            folder.mkdir(exist_ok=True)
            sync_folder(folder.parent)

    def _adopt(self, path: Path, target: Path) -> None:
        self._make_folder(target.parent)
        with path.open("rb") as file:
            os.fsync(file.fileno())
        path.replace(target)
        sync_folder(target.parent)

    def _link(self, source: Path, target: Path) -> None:
        self._make_folder(target.parent)
        # Linked aside and renamed, because a link does not replace what has the name already.
        path = self._scratch.new_path()
        path.hardlink_to(source)
        path.replace(target)
        path.unlink(missing_ok=True)
        sync_folder(target.parent)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _read(path: Path, offset: int, length: int) -> bytes:
    with _open_at(path, offset) as file:
        return file.read(length)


def _read_pieces(path: Path, pieces: Sequence[tuple[int, int]]) -> list[bytes]:
    with path.open("rb", buffering=0) as file:
        return [os.pread(file.fileno(), length, offset) for offset, length in pieces]


async def _open_in_thread(path: Path, offset: int) -> BinaryIO:
    """Open the file; if the caller is cancelled first, it is closed once it has opened."""
    opening = asyncio.get_running_loop().run_in_executor(None, _open_at, path, offset)
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close)
        raise


def _close(opening: asyncio.Future[BinaryIO]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


def _open_at(path: Path, offset: int) -> BinaryIO:
    file = path.open("rb")
    file.seek(offset)
    return file


def _list_folders(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in os.scandir(folder) if entry.is_dir()]
    except FileNotFoundError:
        return []
