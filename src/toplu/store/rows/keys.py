"""Rows of issued API keys; the keys themselves are not here, only their digests."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, or_, select, update

from toplu.deed import Action
from toplu.job import ProjectId
from toplu.store.rows.audit import note
from toplu.store.rows.database import Database
from toplu.store.rows.deletions import check_living, deletions
from toplu.store.rows.locks import lock_project
from toplu.store.rows.schema import keys


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedKey:
    """A key that was given out, without the key itself."""

    id: str
    sha256: str  # of the key, lower-case hexadecimal
    project: ProjectId
    label: str
    prefix: str  # how the key begins, to know it among others in a list
    created: datetime
    revoked: datetime | None = None
    is_operator: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyHolder:
    """The project of a key, the key by its id, and whether all projects are open to it."""

    project: ProjectId
    key_id: str
    is_operator: bool = False


class KeyRows:
    """The rows of keys; a revoked key keeps its row."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, key: IssuedKey) -> None:
        def write(connection: Connection) -> None:
            lock_project(connection, key.project)
            check_living(connection, key.project, key.created)
            connection.execute(insert(keys).values(asdict(key)))
            note(connection, Action.KEY_CREATE, key.project, f"keys/{key.id}", key.created)

        await self._database.write(write, locks_rows=True)

    async def all(self) -> list[IssuedKey]:
        """Return all keys, oldest first."""
        query = select(keys).order_by(keys.c.created, keys.c.id)
        return await self._database.read(lambda c: [_key_of(row) for row in c.execute(query)])

    async def find(self, id_or_prefix: str) -> list[IssuedKey]:
        """Return the keys that have this id or this prefix."""
        query = select(keys).where(or_(keys.c.id == id_or_prefix, keys.c.prefix == id_or_prefix))
        return await self._database.read(lambda c: [_key_of(row) for row in c.execute(query)])

    async def revoke(self, key_id: str, at: datetime) -> None:
        """Let the key count no more; a second time changes nothing."""
        valid = update(keys).where(keys.c.id == key_id, keys.c.revoked.is_(None))

        def write(connection: Connection) -> None:
            project = connection.scalar(valid.values(revoked=at).returning(keys.c.project))
            if project is not None:
                note(connection, Action.KEY_REVOKE, ProjectId(project), f"keys/{key_id}", at)

        await self._database.write(write)

    async def holder_of(self, sha256: str) -> KeyHolder | None:
        """Return the holder of the key that has this digest and is not revoked."""
        query = select(keys.c.project, keys.c.id.label("key_id"), keys.c.is_operator)
        query = query.where(keys.c.sha256 == sha256, keys.c.revoked.is_(None))
        row = await self._database.read(lambda c: c.execute(query).first())
        return None if row is None else KeyHolder(**row._asdict())

    async def any_exist(self) -> bool:
        """Return whether a key was ever issued; a revoked one counts, and one that was deleted."""
        query = select(or_(select(keys.c.id).exists(), select(deletions.c.project).exists()))
        return await self._database.read(lambda c: bool(c.scalar(query)))


def _key_of(row: Row[tuple[Any, ...]]) -> IssuedKey:
    return IssuedKey(**row._asdict())
