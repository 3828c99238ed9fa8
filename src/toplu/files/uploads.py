"""Upload sessions that a lost connection, a restart or a kill does not end.

    start ──▶ append … append ──▶ finalize ──▶ a kept file
                  └──▶ cancel, or expiry

The order of `finalize` makes it safe to repeat: digest, bytes under their blob name, then the
file's row together with the session's last state. The blob name follows from the session, so a
crash before the last step leaves nothing that the next call or the expiry would not find.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from toplu import deed
from toplu.clock import Clock, random_id
from toplu.errors import FailedPrecondition, InvalidArgument, NotFound, TopluError
from toplu.files import metadata
from toplu.files.disk_space import DiskSpace, StorageLimit
from toplu.files.metadata import PLAIN_TERMS, FileTerms
from toplu.files.parts.chunk_writer import ChunkWriter, OffsetMismatch
from toplu.files.parts.part import Part, Parts, blob_of
from toplu.files.upload_cleanup import UploadCleanup
from toplu.job import ProjectId
from toplu.settings.server import Settings
from toplu.store.blobs.blobs import Blobs
from toplu.store.rows.files import FileRows, FileSource, StoredFile
from toplu.store.rows.uploads import UploadSession, UploadSessions, UploadState
from toplu.wire.gemini.file import FileMetadata

__all__ = ["FileTerms", "OffsetMismatch", "UploadProgress", "UploadState", "Uploads"]

UPLOAD_ID_LENGTH = 48
FILE_ID_LENGTH = 12
GONE = "The upload does not exist, has expired or its file was deleted."


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadProgress:
    """The progress of an upload."""

    state: UploadState
    received_bytes: int
    file: StoredFile | None  # once FINAL


class Uploads:
    """Receives files; an upload id is a secret: it is enough to go on with the upload."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        files: FileRows,
        sessions: UploadSessions,
        blobs: Blobs,
        parts: Parts,
        storage_bytes_max: StorageLimit,
    ) -> None:
        self._settings = settings
        self._storage_bytes_max = storage_bytes_max
        self._clock = clock
        self._files = files
        self._sessions = sessions
        self._blobs = blobs
        self._parts = parts
        self._cleanup = UploadCleanup(sessions=sessions, blobs=blobs, parts=parts)
        self._room = DiskSpace(
            clock=clock,
            files=files,
            sessions=sessions,
            parts=parts,
            storage_bytes_max=storage_bytes_max,
        )

    async def start(
        self,
        project: ProjectId,
        about: FileMetadata,
        *,
        declared_bytes: int | None = None,
        mime_type: str | None = None,
    ) -> str:
        """Return the id of a new upload; `mime_type` counts where `about` names none."""
        file_id = metadata.new_id_of(about.name) if about.name else None
        display_name = metadata.checked_display_name(about.display_name)
        mime_type = metadata.checked_mime_type(about.mime_type or mime_type)
        if declared_bytes is not None and declared_bytes > self._settings.upload_bytes_max:
            raise InvalidArgument(
                f"The file has {declared_bytes} bytes; a file may have "
                f"{self._settings.upload_bytes_max} at most."
            )
        await self._room.check(project, declared_bytes or 0, file_id)
        upload_id = random_id(UPLOAD_ID_LENGTH)
        now = self._clock.now()
        session = UploadSession(
            id_hash=_hash(upload_id),
            project=project,
            actor=deed.present().name,
            file_id=file_id,
            display_name=display_name,
            mime_type=mime_type,
            declared_bytes=declared_bytes,
            created=now,
            expires=now + timedelta(seconds=self._settings.upload_life_seconds),
        )
        await self._sessions.create(session, self._settings.open_uploads_max)
        try:
            await self._parts.create(session.id_hash)
        except OSError:
            await self._cleanup.withdraw(session.id_hash)
            raise
        return upload_id

    async def append(self, upload_id: str, offset: int | None, chunks: AsyncIterator[bytes]) -> int:
        """Return how many bytes have arrived in all, once they are durable.

        Bytes that arrived before are skipped if they are the same again. Without an offset the
        chunks go to the end. Raises OffsetMismatch if they would leave a gap.
        """
        async with self._parts.hold(_hash(upload_id)) as part:
            session = await self._find(upload_id)
            received_bytes = await self._parts.size(session.id_hash)
            if received_bytes is None:
                return await self._take_again(blob_of(session.id_hash), offset, chunks)
            arrival = ChunkWriter(
                part,
                received_bytes=received_bytes,
                offset=offset,
                limit_bytes=self._limit_bytes(session),
            )
            if session.declared_bytes is None:
                chunks = self._room.bound(session.project, chunks)
            try:
                return await arrival.take(chunks)
            except FileNotFoundError:
                raise NotFound(GONE) from None  # cancelled or expired while the bytes came

    async def finalize(self, upload_id: str, terms: FileTerms = PLAIN_TERMS) -> StoredFile:
        """Return the kept file; again the same one when repeated."""
        async with self._parts.hold(_hash(upload_id)) as part:
            session = await self._find(upload_id)
            if session.state is UploadState.FINAL:
                return await self._file_of(session)
            received_bytes = await self._received_bytes(session)
            if session.declared_bytes not in (None, received_bytes):
                raise InvalidArgument(
                    f"The upload was declared to have {session.declared_bytes} bytes, but "
                    f"{received_bytes} have been received."
                )
            sha256 = await self._keep_blob(session, part)
            try:
                return await self._sessions.finish(
                    session.id_hash,
                    self._describe(session, received_bytes, sha256, terms),
                    await self._storage_bytes_max(session.project),
                    None if terms.key is None else terms.key.with_part(sha256),
                )
            except TopluError:
                # The name was taken or the room used up meanwhile: this upload cannot end well.
                await self._cleanup.abandon(session.id_hash)
                raise

    async def query(self, upload_id: str) -> UploadProgress:
        """Say where the upload stands."""
        session = await self._find(upload_id, cancelled_too=True)
        match session.state:
            case UploadState.FINAL:
                file = await self._file_of(session)
                return UploadProgress(
                    state=session.state, received_bytes=file.size_bytes, file=file
                )
            case UploadState.CANCELLED:
                return UploadProgress(state=session.state, received_bytes=0, file=None)
            case UploadState.ACTIVE:
                received_bytes = await self._received_bytes(session)
                return UploadProgress(state=session.state, received_bytes=received_bytes, file=None)

    async def cancel(self, upload_id: str) -> None:
        """Forget what has arrived; idempotent."""
        session = await self._find(upload_id, cancelled_too=True)
        if not await self._cleanup.abandon(session.id_hash):
            raise FailedPrecondition("The upload is finished and cannot be cancelled.")

    async def whole(
        self,
        project: ProjectId,
        about: FileMetadata,
        *,
        mime_type: str | None = None,
        chunks: AsyncIterator[bytes],
        read_terms: Callable[[], Awaitable[FileTerms]] | None = None,
    ) -> StoredFile:
        """Receive a file in one call; a call that fails leaves nothing behind.

        `read_terms` is called when the bytes have come: it may refuse the file.
        """
        upload_id = await self.start(project, about, mime_type=mime_type)
        try:
            await self.append(upload_id, 0, chunks)
            terms = PLAIN_TERMS if read_terms is None else await read_terms()
            return await self.finalize(upload_id, terms)
        except OSError:
            await self._cleanup.withdraw(_hash(upload_id))
            raise
        except BaseException:
            await self._cleanup.abandon(_hash(upload_id))
            raise

    async def _find(self, upload_id: str, *, cancelled_too: bool = False) -> UploadSession:
        session = await self._sessions.find(_hash(upload_id))
        if session is None or session.expires <= self._clock.now():
            raise NotFound(GONE)
        if session.state is UploadState.CANCELLED and not cancelled_too:
            raise FailedPrecondition("The upload was cancelled.")
        return session

    async def _file_of(self, session: UploadSession) -> StoredFile:
        assert session.result_file is not None, "a final upload has made a file"
        file = await self._files.find(session.project, session.result_file)
        if file is None:
            raise NotFound(GONE)
        return file

    async def _received_bytes(self, session: UploadSession) -> int:
        received_bytes = await self._parts.size(session.id_hash)
        if received_bytes is None:
            received_bytes = await self._blobs.size(blob_of(session.id_hash))
        if received_bytes is None:
            raise NotFound(GONE)
        return received_bytes

    def _limit_bytes(self, session: UploadSession) -> int:
        if session.declared_bytes is None:
            return self._settings.upload_bytes_max
        return session.declared_bytes

    async def _take_again(self, blob: str, offset: int | None, chunks: AsyncIterator[bytes]) -> int:
        """Accept bytes of a complete upload once more: the reply to them may have been lost."""
        size_bytes = await self._blobs.size(blob)
        if size_bytes is None:
            raise NotFound(GONE)
        position = size_bytes if offset is None else offset
        if position > size_bytes:
            raise OffsetMismatch(position, size_bytes)
        async for chunk in chunks:
            if await self._blobs.read(blob, position, len(chunk)) != chunk:
                raise InvalidArgument("The upload is complete, with other bytes than these.")
            position += len(chunk)
        return size_bytes

    async def _keep_blob(self, session: UploadSession, part: Part) -> str:
        """Put the bytes under their blob name and return their sha256."""
        blob = blob_of(session.id_hash)
        try:
            sha256 = await part.digest()
            await part.keep(blob)
        except FileNotFoundError:
            # A crash came between the last two steps: the bytes are in place already.
            sha256 = await self._digest_blob(blob)
        return sha256

    async def _digest_blob(self, blob: str) -> str:
        digest = hashlib.sha256()
        try:
            async for piece in self._blobs.stream(blob):
                await asyncio.to_thread(digest.update, piece)
        except FileNotFoundError:
            raise NotFound(GONE) from None  # cancelled or expired meanwhile
        return digest.hexdigest()

    def _describe(
        self, session: UploadSession, size_bytes: int, sha256: str, terms: FileTerms
    ) -> StoredFile:
        now = self._clock.now()
        return StoredFile(
            id=session.file_id or random_id(FILE_ID_LENGTH),
            project=session.project,
            display_name=session.display_name,
            mime_type=session.mime_type,
            size_bytes=size_bytes,
            sha256=sha256,
            created=now,
            updated=now,
            expires=now + (terms.life or timedelta(seconds=self._settings.file_life_seconds)),
            purpose=terms.purpose,
            source=FileSource.UPLOADED if terms.origin is None else FileSource.REGISTERED,
            origin=terms.origin,
            blob=blob_of(session.id_hash),
        )


def _hash(upload_id: str) -> str:
    return hashlib.sha256(upload_id.encode()).hexdigest()
