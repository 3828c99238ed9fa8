"""Blobs in a folder that say they are elsewhere, for what is done differently then."""

from collections.abc import Collection

from toplu.store.blobs.blobs import DiskBlobs


class FarBlobs(DiskBlobs):
    """The blobs, and how often they were looked through."""

    is_remote = True
    looks = 0

    async def abandoned(self, folder: str, known: Collection[str]) -> list[str]:
        self.looks += 1
        return await super().abandoned(folder, known)
