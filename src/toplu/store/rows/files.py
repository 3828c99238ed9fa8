"""Rows of kept files: those that clients uploaded and the results that we wrote."""

from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, insert, select, update

from toplu.deed import Action
from toplu.errors import AlreadyExists, ResourceExhausted
from toplu.job import ProjectId
from toplu.store.rows.audit import note
from toplu.store.rows.database import Database
from toplu.store.rows.deletions import check_living
from toplu.store.rows.locks import lock_project
from toplu.store.rows.pages import PageMark, newest_first
from toplu.store.rows.schema import files

ROUND_MAX = 1000  # rows that one look of the janitor returns
RETRY_SECONDS = 60  # a client may delete files at any time


class FileSource(StrEnum):
    """The maker of the bytes."""

    UPLOADED = "UPLOADED"
    REGISTERED = "REGISTERED"  # fetched from an address
    GENERATED = "GENERATED"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A kept file; its content is the blob and never changes."""

    id: str  # without `files/`
    project: ProjectId
    display_name: str | None
    mime_type: str
    size_bytes: int
    sha256: str  # lower-case hexadecimal
    created: datetime
    updated: datetime
    expires: datetime
    source: FileSource
    blob: str
    purpose: str | None = None  # in the words of OpenAI's API, if it came by that
    origin: bytes | None = None  # the InputOrigin of one that was fetched, as JSON


class FileRows:
    """The rows of files; a file goes in two steps, so that its blob goes in between."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, file: StoredFile, project_bytes_max: int) -> None:
        """Add the file, or raise AlreadyExists or, for too many bytes, ResourceExhausted."""
        await self._database.write(
            lambda c: insert_file(c, file, project_bytes_max), locks_rows=True
        )

    async def check_room(
        self,
        project: ProjectId,
        file_id: str | None,
        size_bytes: int,
        project_bytes_max: int,
        *,
        arriving_bytes: int,
    ) -> None:
        """Raise what `create` would raise of such a file, once `arriving_bytes` are files too."""
        await self._database.read(
            lambda c: check_room(
                c, project, file_id, size_bytes, project_bytes_max, arriving_bytes=arriving_bytes
            )
        )

    async def find(self, project: ProjectId, file_id: str) -> StoredFile | None:
        return await self._database.read(lambda c: read_file(c, project, file_id))

    async def page(
        self, project: ProjectId, size: int, now: datetime, after: PageMark | None = None
    ) -> list[StoredFile]:
        """Return up to `size` files that are not past their expiry, newest first."""
        query = select(files).where(
            files.c.project == project, files.c.deleted.is_(False), files.c.expires > now
        )
        return await self._database.read(
            lambda c: [file_of(row) for row in c.execute(newest_first(query, files, size, after))]
        )

    async def mark_deleted(
        self, project: ProjectId, file_id: str, at: datetime
    ) -> StoredFile | None:
        """Make the file invisible and return it, or None if there is no such file."""
        return await self._database.write(lambda c: _mark_deleted(c, project, file_id, at))

    async def expired(self, now: datetime) -> list[StoredFile]:
        """Return files past their expiry, a bounded number at a time."""
        return await self._database.read(
            lambda c: _read_files(c, files.c.deleted.is_(False), files.c.expires <= now)
        )

    async def deleted(self) -> list[StoredFile]:
        """Return files marked as deleted and not forgotten, a bounded number at a time."""
        return await self._database.read(lambda c: _read_files(c, files.c.deleted.is_(True)))

    async def forget(self, project: ProjectId, file_id: str) -> None:
        """Remove the row of a file that is marked as deleted; idempotent."""
        gone = delete(files).where(is_file(project, file_id), files.c.deleted.is_(True))
        await self._database.write(lambda c: c.execute(gone).close())


def file_of(row: Row[tuple[Any, ...]]) -> StoredFile:
    """Return the file of a row of `files`."""
    values = row._asdict()
    del values["deleted"]
    return StoredFile(**values | {"source": FileSource(row.source)})


def insert_file(
    connection: Connection, file: StoredFile, project_bytes_max: int, actor: str | None = None
) -> None:
    """Add the file, made by the actor if one is given; see `Files.create`."""
    lock_project(connection, file.project)
    check_living(connection, file.project, file.created)
    size_bytes = 0 if file.source is FileSource.GENERATED else file.size_bytes
    check_room(connection, file.project, file.id, size_bytes, project_bytes_max)
    connection.execute(insert(files).values(**asdict(file), deleted=False))
    note(
        connection,
        Action.FILE_CREATE,
        file.project,
        f"files/{file.id}",
        file.created,
        actor=actor,
    )


def replace_file(connection: Connection, file: StoredFile) -> None:
    """Write the row whatever stands there: the same write again, after a crash, is normal."""
    connection.execute(delete(files).where(is_file(file.project, file.id)))
    connection.execute(insert(files).values(**asdict(file), deleted=False))


def is_file(project: ProjectId, file_id: str | None) -> ColumnElement[bool]:
    """Return the condition that picks one file's row."""
    return and_(files.c.project == project, files.c.id == file_id)


def read_file(connection: Connection, project: ProjectId, file_id: str | None) -> StoredFile | None:
    """Return the file, unless it is deleted."""
    found = select(files).where(is_file(project, file_id), files.c.deleted.is_(False))
    row = connection.execute(found).first()
    return None if row is None else file_of(row)


def check_room(
    connection: Connection,
    project: ProjectId,
    file_id: str | None,
    size_bytes: int,
    project_bytes_max: int,
    *,
    arriving_bytes: int = 0,
) -> None:
    """Raise if the name is taken or the bytes are more than the project may still add."""
    # A deleted file still holds its name until it is forgotten, a moment later.
    taken = select(files.c.id).where(is_file(project, file_id))
    if file_id is not None and connection.execute(taken).first() is not None:
        raise AlreadyExists(f"{file_id} already exists.")
    used = connection.scalar(
        select(func.coalesce(func.sum(files.c.size_bytes), 0)).where(
            files.c.project == project,
            files.c.source != FileSource.GENERATED,
            files.c.deleted.is_(False),
        )
    )
    assert used is not None, "a sum is always there"
    if size_bytes and used + arriving_bytes + size_bytes > project_bytes_max:
        arriving = f", {arriving_bytes} are arriving" if arriving_bytes else ""
        raise ResourceExhausted.of_quota(
            "file_storage_bytes",
            project_bytes_max,
            f"the files of the project have {used} bytes{arriving} and {size_bytes} more are "
            "asked for.",
            # A file that is too large by itself never fits.
            retry_seconds=RETRY_SECONDS if size_bytes <= project_bytes_max else 0,
        )


def _mark_deleted(
    connection: Connection, project: ProjectId, file_id: str, at: datetime
) -> StoredFile | None:
    file = read_file(connection, project, file_id)
    if file is not None:
        connection.execute(update(files).where(is_file(project, file_id)).values(deleted=True))
        note(connection, Action.FILE_DELETE, project, f"files/{file_id}", at)
    return file


def _read_files(connection: Connection, *conditions: ColumnElement[bool]) -> list[StoredFile]:
    query = select(files).where(*conditions).order_by(files.c.expires).limit(ROUND_MAX)
    return [file_of(row) for row in connection.execute(query)]
