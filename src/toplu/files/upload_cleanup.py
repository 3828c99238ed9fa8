"""Uploads that come to nothing: their state, and the bytes that had arrived."""

import contextlib

from toplu.files.parts.part import Parts, blob_of
from toplu.store.blobs.blobs import Blobs
from toplu.store.rows.uploads import UploadSessions


class UploadCleanup:
    """Ends uploads that are not final, and removes their bytes."""

    def __init__(self, *, sessions: UploadSessions, blobs: Blobs, parts: Parts) -> None:
        self._sessions = sessions
        self._blobs = blobs
        self._parts = parts

    async def abandon(self, id_hash: str) -> bool:
        """Cancel the upload unless it is final; return whether it is cancelled.

        The state moves first: from then on nobody makes a file of the bytes.
        """
        cancelled = await self._sessions.cancel(id_hash)
        if cancelled:
            await self._remove_bytes(id_hash)
        return cancelled

    async def withdraw(self, id_hash: str) -> None:
        """Abandon an upload that failed on a full disk and whose id no client knows yet.

        The bytes go first: they may be what fills the disk, and the state needs space to move.
        """
        await self._remove_bytes(id_hash)
        with contextlib.suppress(OSError):
            await self._sessions.cancel(id_hash)

    async def _remove_bytes(self, id_hash: str) -> None:
        await self._parts.remove(id_hash)
        await self._blobs.delete(blob_of(id_hash))
