"""The bytes of an upload that is not finished: one file each, as long as what has arrived.

The file's size is the only record of how far an upload is, so it needs no recovery: a restart
finds what a kill left. Sizes and writes are guarded by a thread lock and not an asyncio one: when
a call is cancelled, its write still runs, and the next must wait for it.
"""

import asyncio
import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

WARM_MAX = 1024  # parts whose digest is kept in memory; others are read again at their end
READ_BYTES = 1024 * 1024


class PartialFile:
    """One part file; everything here blocks, and raises FileNotFoundError when it is gone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._digest = hashlib.sha256()
        self._digested_bytes = 0  # the digest stands for this many bytes from the start

    def size(self) -> int:
        with self._lock:
            return self.path.stat().st_size

    def read(self, offset: int, length: int) -> bytes:
        with self._lock, self.path.open("rb") as file:
            file.seek(offset)
            return file.read(length)

    def write(self, data: bytes) -> None:
        """Add to the end; if it raises, some of it may have been added."""
        with self._lock:
            # Without O_CREAT: a part that was removed meanwhile must not come back.
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND)
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

    def sync(self) -> int:
        """Make what was written durable, and return how many bytes that is."""
        with self._lock, self.path.open("rb") as file:
            size_bytes = os.fstat(file.fileno()).st_size
            os.fdatasync(file.fileno())
            return size_bytes

    def digest(self) -> str:
        """Return the sha256 of the whole file in hexadecimal, reading what is not yet in it."""
        with self._lock, self.path.open("rb") as file:
            file.seek(self._digested_bytes)
            while data := file.read(READ_BYTES):
                self._digest.update(data)
                self._digested_bytes += len(data)
            return self._digest.hexdigest()


@dataclass(slots=True)
class _Warm:
    part: PartialFile
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class PartialFiles:
    """The folder of part files, and which of them are in use."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._warm: OrderedDict[str, _Warm] = OrderedDict()

    async def create(self, id_hash: str) -> None:
        await asyncio.to_thread(self._create, self._path(id_hash))

    @asynccontextmanager
    async def hold(self, id_hash: str) -> AsyncIterator[PartialFile]:
        """Wait until nobody else holds the part, and hold it."""
        warm = self._warm.setdefault(id_hash, _Warm(PartialFile(self._path(id_hash))))
        self._warm.move_to_end(id_hash)
        warm.users += 1
        try:
            async with warm.lock:
                yield warm.part
        finally:
            warm.users -= 1
            self._cool_down()

    async def size(self, id_hash: str) -> int | None:
        """Return how many bytes are durable, without waiting for a holder; None if it is gone."""
        warm = self._warm.get(id_hash)
        part = PartialFile(self._path(id_hash)) if warm is None else warm.part
        try:
            return await asyncio.to_thread(part.sync)
        except FileNotFoundError:
            return None

    async def remove(self, id_hash: str) -> None:
        """Remove the part; idempotent. A call that holds it finds it gone."""
        self._warm.pop(id_hash, None)
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

    def _cool_down(self) -> None:
        idle = [id_hash for id_hash, warm in self._warm.items() if not warm.users]
        for id_hash in idle[: max(0, len(self._warm) - WARM_MAX)]:
            del self._warm[id_hash]
