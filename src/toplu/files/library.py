"""The kept files: found by those they belong to, streamed, deleted, and forgotten in time."""

from collections.abc import AsyncIterator
from datetime import datetime

from toplu.clock import Clock
from toplu.deed import Action
from toplu.errors import PermissionDenied
from toplu.files import metadata
from toplu.files.parts.part import Parts
from toplu.files.upload_cleanup import UploadCleanup
from toplu.job import ProjectId
from toplu.projects.audit_log import AuditLog
from toplu.store.blobs.blobs import Blobs
from toplu.store.rows.files import FileRows, FileSource, StoredFile
from toplu.store.rows.pages import PageMark, cut_page
from toplu.store.rows.uploads import UploadSessions

__all__ = ["FileSource", "Library", "StoredFile"]


class Library:
    """Keeps files until they expire; a foreign file and an expired one are as missing as none."""

    def __init__(
        self,
        *,
        clock: Clock,
        files: FileRows,
        sessions: UploadSessions,
        blobs: Blobs,
        parts: Parts,
        audit: AuditLog,
    ) -> None:
        self._clock = clock
        self._audit = audit
        self._files = files
        self._sessions = sessions
        self._blobs = blobs
        self._cleanup = UploadCleanup(sessions=sessions, blobs=blobs, parts=parts)

    async def get(self, project: ProjectId, name: str) -> StoredFile:
        """Return the file of that name, id or URI."""
        file_id = metadata.id_of(name)
        file = await self._files.find(project, file_id)
        if file is None or file.expires <= self._clock.now():
            raise _missing(file_id)
        return file

    async def page(
        self, project: ProjectId, *, size: int, token: str | None = None
    ) -> tuple[list[StoredFile], str | None]:
        """Return up to `size` files, newest first, and the token of the next page if any."""
        after = None if token is None else PageMark.of_token(token)
        found = await self._files.page(project, size + 1, self._clock.now(), after)
        return cut_page(found, size)

    async def delete(self, project: ProjectId, name: str) -> None:
        """Make the file invisible and remove its bytes."""
        file = await self.get(project, name)
        marked = await self._files.mark_deleted(project, file.id, self._clock.now())
        if marked is None:
            raise _missing(file.id)
        await self._remove(marked)

    async def stream(
        self, file: StoredFile, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        """Yield the file's bytes, or a part of them, to whoever asked for them."""
        await self._audit.note_reading(Action.FILE_READ, file.project, f"files/{file.id}")
        async for piece in self._blobs.stream(file.blob, offset, length):
            yield piece

    async def read(self, file: StoredFile) -> bytes:
        """Return all of the file's bytes; FileNotFoundError if it was deleted meanwhile."""
        return await self._blobs.read(file.blob, 0, file.size_bytes)

    async def forget_expired(self, now: datetime) -> None:
        """Remove uploads and files that are past their expiry, and what a crash left of others.

        Each goes in steps that can be taken again: out of sight, then the bytes, then the row.
        """
        # The bytes of all go before rows are written, which needs space.
        for file in await self._files.deleted():
            await self._blobs.delete(file.blob)
        for session in await self._sessions.expired(now):
            await self._cleanup.abandon(session.id_hash)
            await self._sessions.forget(session.id_hash)
        for file in await self._files.expired(now):
            await self._files.mark_deleted(file.project, file.id, now)
        for file in await self._files.deleted():
            await self._remove(file)

    async def _remove(self, file: StoredFile) -> None:
        await self._blobs.delete(file.blob)
        await self._files.forget(file.project, file.id)


def _missing(file_id: str) -> PermissionDenied:
    return PermissionDenied(
        f"You do not have permission to access the File {file_id} or it may not exist."
    )
