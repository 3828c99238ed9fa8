"""The space that a project has left: uploads in progress count as if they were files."""

from collections.abc import AsyncIterator, Awaitable, Callable

from toplu.clock import Clock
from toplu.files.parts.part import Parts
from toplu.job import ProjectId
from toplu.settings.server import MIB
from toplu.store.rows.files import FileRows
from toplu.store.rows.uploads import UploadSessions

UNCHECKED_BYTES_MAX = 8 * MIB  # of an upload that declared no length, between two looks
StorageLimit = Callable[[ProjectId], Awaitable[int]]  # how many bytes a project may keep


class DiskSpace:
    """The room of every project."""

    def __init__(
        self,
        *,
        clock: Clock,
        files: FileRows,
        sessions: UploadSessions,
        parts: Parts,
        storage_bytes_max: StorageLimit,
    ) -> None:
        self._clock = clock
        self._files = files
        self._sessions = sessions
        self._parts = parts
        self._storage_bytes_max = storage_bytes_max

    async def check(self, project: ProjectId, size_bytes: int, file_id: str | None = None) -> None:
        """Raise ResourceExhausted if so many bytes more do not fit, AlreadyExists for the name."""
        arriving_bytes = 0
        open_sessions = await self._sessions.open_of(project, self._clock.now())
        for id_hash, declared_bytes in open_sessions.items():
            if declared_bytes is None:
                arriving_bytes += await self._parts.size(id_hash) or 0
            else:
                arriving_bytes += declared_bytes
        await self._files.check_room(
            project,
            file_id,
            size_bytes,
            await self._storage_bytes_max(project),
            arriving_bytes=arriving_bytes,
        )

    async def bound(self, project: ProjectId, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield the chunks of an upload that declared no length as long as there is room."""
        unchecked_bytes = UNCHECKED_BYTES_MAX
        async for chunk in chunks:
            unchecked_bytes += len(chunk)
            if unchecked_bytes > UNCHECKED_BYTES_MAX:
                await self.check(project, len(chunk))
                unchecked_bytes = 0
            yield chunk
