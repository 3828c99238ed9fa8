"""Everything an upload touches."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from support.fake_clock import FakeClock
from toplu.files.library import Library
from toplu.files.parts.partial_file import PartialFiles
from toplu.files.uploads import Uploads
from toplu.job import ProjectId
from toplu.projects.audit_log import AuditLog
from toplu.settings.server import Settings
from toplu.store.blobs.blobs import DiskBlobs
from toplu.store.rows.audit import AuditRows
from toplu.store.rows.database import Database
from toplu.store.rows.files import FileRows, StoredFile
from toplu.store.rows.uploads import UploadSessions
from toplu.wire.gemini.file import FileMetadata

PROJECT = ProjectId("team-a")


class UploadWorld:
    """The files room, with what it stands on."""

    def __init__(self, settings: Settings, database: Database, clock: FakeClock) -> None:
        self.settings = settings
        self.clock = clock
        self.database = database
        self.files = FileRows(database)
        self.sessions = UploadSessions(database)
        self.blobs = DiskBlobs(settings.data_dir / "blobs")
        parts = PartialFiles(settings.data_dir / "uploads", self.blobs)
        self.uploads = Uploads(
            settings=settings,
            clock=clock,
            files=self.files,
            sessions=self.sessions,
            blobs=self.blobs,
            parts=parts,
            storage_bytes_max=self.storage_bytes_max,
        )
        self.library = Library(
            clock=clock,
            files=self.files,
            sessions=self.sessions,
            blobs=self.blobs,
            parts=parts,
            audit=AuditLog(clock=clock, rows=AuditRows(database)),
        )

    async def storage_bytes_max(self, _project: ProjectId) -> int:
        return self.settings.project_bytes_max

    def restarted(self) -> "UploadWorld":
        """The same folder and database under a server that remembers nothing."""
        return UploadWorld(self.settings, self.database, self.clock)

    async def start(self, declared_bytes: int | None = None, **about: str) -> str:
        return await self.uploads.start(
            PROJECT, FileMetadata(**about), declared_bytes=declared_bytes
        )

    async def append(self, upload_id: str, offset: int | None, *pieces: bytes) -> int:
        return await self.uploads.append(upload_id, offset, chunks(*pieces))

    async def received_bytes(self, upload_id: str) -> int:
        return (await self.uploads.query(upload_id)).received_bytes

    async def content(self, file: StoredFile) -> bytes:
        return b"".join([piece async for piece in self.library.stream(file)])

    async def keep(self, data: bytes = b"data", **about: str) -> StoredFile:
        return await self.uploads.whole(PROJECT, FileMetadata(**about), chunks=chunks(data))

    def bytes_left(self) -> list[Path]:
        """Every part and every blob on disk."""
        folders = (self.settings.data_dir / "uploads", self.settings.data_dir / "blobs")
        return [path for folder in folders for path in folder.rglob("*") if path.is_file()]


async def chunks(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def broken(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
    raise ConnectionError("the client went away")


async def endless(sent: asyncio.Event, *pieces: bytes) -> AsyncIterator[bytes]:
    """Pieces, and then a silence that only a cancellation ends."""
    for piece in pieces:
        yield piece
    sent.set()
    await asyncio.Event().wait()
