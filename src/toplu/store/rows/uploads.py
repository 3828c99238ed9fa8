"""Rows of upload sessions: the metadata of each at its start, and how it ended.

How many bytes have come is not here: the part file's own size says it.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, select, update

from toplu.errors import NotFound, ResourceExhausted
from toplu.idempotency import IdempotencyKey
from toplu.job import ProjectId
from toplu.store.rows.database import Database
from toplu.store.rows.deletions import check_living
from toplu.store.rows.files import StoredFile, insert_file, read_file
from toplu.store.rows.idempotency import note_creation
from toplu.store.rows.locks import lock_project
from toplu.store.rows.schema import uploads

ROUND_MAX = 1000  # rows that one look of the janitor returns


class UploadState(StrEnum):
    """The state of a session; the last two are final."""

    ACTIVE = "ACTIVE"
    FINAL = "FINAL"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadSession:
    """One upload from its start on."""

    id_hash: str  # sha256 of the secret upload id, which is kept nowhere
    project: ProjectId
    actor: str  # who began it
    file_id: str | None  # the name that the client gave
    display_name: str | None
    mime_type: str
    declared_bytes: int | None
    state: UploadState = UploadState.ACTIVE
    result_file: str | None = None
    created: datetime
    expires: datetime


class UploadSessions:
    """The rows of upload sessions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, session: UploadSession, open_max: int) -> None:
        """Add the session, or raise ResourceExhausted if its project has too many open ones."""
        await self._database.write(lambda c: _create(c, session, open_max), locks_rows=True)

    async def find(self, id_hash: str) -> UploadSession | None:
        return await self._database.read(lambda c: _find(c, id_hash))

    async def open_of(self, project: ProjectId, now: datetime) -> dict[str, int | None]:
        """Return the project's open sessions by `id_hash`, and how many bytes each declared."""
        query = select(uploads.c.id_hash, uploads.c.declared_bytes).where(_is_open(project, now))
        return await self._database.read(
            lambda c: {row.id_hash: row.declared_bytes for row in c.execute(query)}
        )

    async def finish(
        self,
        id_hash: str,
        file: StoredFile,
        project_bytes_max: int,
        key: IdempotencyKey | None = None,
    ) -> StoredFile:
        """Make the session FINAL together with the row of its file, and return the file.

        A session that is FINAL already returns the file that it made, a cancelled one raises
        NotFound; otherwise raises what `Files.create` raises, and with a `key` that has made a
        file before what `store.rows.idempotency` says.
        """
        return await self._database.write(
            lambda c: _finish(c, id_hash, file, project_bytes_max, key), locks_rows=True
        )

    async def cancel(self, id_hash: str) -> bool:
        """Make an ACTIVE session CANCELLED; return whether it is CANCELLED afterwards."""
        return await self._database.write(lambda c: _cancel(c, id_hash))

    async def expired(self, now: datetime) -> list[UploadSession]:
        """Return sessions past their expiry, a bounded number at a time."""
        query = select(uploads).where(uploads.c.expires <= now).limit(ROUND_MAX)
        return await self._database.read(
            lambda c: [_session_of(row._asdict()) for row in c.execute(query)]
        )

    async def forget(self, id_hash: str) -> None:
        """Remove the row; idempotent."""
        await self._database.write(
            lambda c: c.execute(delete(uploads).where(uploads.c.id_hash == id_hash)).close()
        )


def _session_of(values: dict[str, object]) -> UploadSession:
    session = values | {"state": UploadState(str(values["state"]))}
    return UploadSession(**session)  # type: ignore[arg-type]  # the columns are the fields


def _is_open(project: ProjectId, now: datetime) -> ColumnElement[bool]:
    return and_(
        uploads.c.project == project,
        uploads.c.state == UploadState.ACTIVE,
        uploads.c.expires > now,
    )


def _find(connection: Connection, id_hash: str, *, is_locked: bool = False) -> UploadSession | None:
    query = select(uploads).where(uploads.c.id_hash == id_hash)
    row = connection.execute(query.with_for_update() if is_locked else query).first()
    return None if row is None else _session_of(row._asdict())


def _create(connection: Connection, session: UploadSession, open_max: int) -> None:
    lock_project(connection, session.project)
    check_living(connection, session.project, session.created)
    open_count = connection.scalar(
        select(func.count()).select_from(uploads).where(_is_open(session.project, session.created))
    )
    assert open_count is not None, "a count is always there"
    if open_count >= open_max:
        raise ResourceExhausted(
            f"Resource has been exhausted: at most {open_max} uploads may be open at once."
        )
    connection.execute(insert(uploads).values(asdict(session)))


def _finish(
    connection: Connection,
    id_hash: str,
    file: StoredFile,
    project_bytes_max: int,
    key: IdempotencyKey | None,
) -> StoredFile:
    lock_project(connection, file.project)
    session = _find(connection, id_hash, is_locked=True)
    if session is not None and session.state is UploadState.FINAL:
        made = read_file(connection, session.project, session.result_file)
        if made is not None:
            return made
    if session is None or session.state is not UploadState.ACTIVE:
        raise NotFound("The upload was cancelled, has expired or its file was deleted.")
    note_creation(connection, key, file.id, file.created)
    insert_file(connection, file, project_bytes_max, session.actor)
    connection.execute(
        update(uploads)
        .where(uploads.c.id_hash == id_hash)
        .values(state=UploadState.FINAL, result_file=file.id)
    )
    return file


def _cancel(connection: Connection, id_hash: str) -> bool:
    connection.execute(
        update(uploads)
        .where(uploads.c.id_hash == id_hash, uploads.c.state == UploadState.ACTIVE)
        .values(state=UploadState.CANCELLED)
    )
    session = _find(connection, id_hash)
    return session is not None and session.state is UploadState.CANCELLED
