"""Parts of uploads as files: one for each, as long as what has arrived.

The file's size is the only record of how far an upload is, so it needs no recovery: a restart
finds what a kill left. Sizes and writes are guarded by a thread lock and not an asyncio one: when
a call is cancelled, its write still runs, and the next must wait for it.
"""

import asyncio
import hashlib
import os
import threading
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from toplu.files.parts.warm_parts import WarmParts
from toplu.store.blobs.blobs import DiskBlobs

READ_BYTES = 1024 * 1024


class PartialFile:
    """One part file."""

    group_bytes = 1024 * 1024

    def __init__(self, path: Path, blobs: DiskBlobs) -> None:
        self._path = path
        self._blobs = blobs
        self._lock = threading.Lock()
        self._digest = hashlib.sha256()
        self._digested_bytes = 0  # the digest stands for this many bytes from the start

    async def read(self, offset: int, length: int) -> bytes:
        return await asyncio.to_thread(self._read, offset, length)

    def write(self, data: bytes) -> "asyncio.Future[None]":
        return asyncio.get_running_loop().run_in_executor(None, self._write, data)

    async def sync(self) -> int:
        return await asyncio.to_thread(self._sync)

    async def digest(self) -> str:
        return await asyncio.to_thread(self._digest_all)

    async def keep(self, blob: str) -> None:
        await self._blobs.adopt(self._path, blob)

    def _read(self, offset: int, length: int) -> bytes:
        with self._lock, self._path.open("rb") as file:
            file.seek(offset)
            return file.read(length)

    def _write(self, data: bytes) -> None:
        with self._lock:
            # Without O_CREAT: a part that was removed meanwhile must not come back.
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND)
            try:
                size_before = os.fstat(descriptor).st_size
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
            finally:
                os.close(descriptor)
            if self._digested_bytes == size_before:
                self._digest.update(data)
                self._digested_bytes += len(data)

    def _sync(self) -> int:
        with self._lock, self._path.open("rb") as file:
            size_bytes = os.fstat(file.fileno()).st_size
            os.fdatasync(file.fileno())
            return size_bytes

    def _digest_all(self) -> str:
        with self._lock, self._path.open("rb") as file:
            file.seek(self._digested_bytes)
            while data := file.read(READ_BYTES):
                self._digest.update(data)
                self._digested_bytes += len(data)
            return self._digest.hexdigest()


class PartialFiles:
    """The folder of part files."""

    def __init__(self, folder: Path, blobs: DiskBlobs) -> None:
        self._folder = folder
        self._warm = WarmParts(lambda id_hash: PartialFile(self._path(id_hash), blobs))

    async def create(self, id_hash: str) -> None:
        await asyncio.to_thread(self._create, self._path(id_hash))

    def hold(self, id_hash: str) -> AbstractAsyncContextManager[PartialFile]:
        return self._warm.hold(id_hash)

    async def size(self, id_hash: str) -> int | None:
        try:
            return await self._warm.find(id_hash).sync()
        except FileNotFoundError:
            return None

    async def remove(self, id_hash: str) -> None:
        self._warm.forget(id_hash)
        await asyncio.to_thread(self._path(id_hash).unlink, missing_ok=True)

    def _path(self, id_hash: str) -> Path:
        return self._folder / f"{id_hash}.part"

    def _create(self, path: Path) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        path.touch(exist_ok=False)
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
