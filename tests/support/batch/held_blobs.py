"""Blobs whose reads wait until a test lets them go on."""

import asyncio
import errno
from pathlib import Path

from toplu.store.blobs.blobs import DiskBlobs


class HeldBlobs(DiskBlobs):
    """Holds every read until it may go on, and breaks as many as the test wants."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.faults = 0
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()

    async def read(self, name: str, offset: int, length: int) -> bytes:
        self.begun.set()
        await self.go_on.wait()
        if self.faults:
            self.faults -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return await super().read(name, offset, length)
