"""Deletions of projects: how far each has come, and whether a project may have anything new.

    begun ──▶ going on, whoever does ──▶ ended ──▶ settled
                                           └─ until: calls that had begun may leave something

While a project is being deleted, and until calls that began before have ended, nothing new is made
in it. The row stays: it is the report, and the last key that went does not open the API.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Row,
    String,
    Table,
    Text,
    and_,
    delete,
    insert,
    or_,
    select,
    update,
)

from toplu import deed
from toplu.deed import Action
from toplu.errors import FailedPrecondition
from toplu.job import ProjectId
from toplu.store.rows.audit import note
from toplu.store.rows.columns import Moment
from toplu.store.rows.database import Database
from toplu.store.rows.locks import lock_project
from toplu.store.rows.schema import keys, metadata

PLACES_ROUND = 1000

deletions = Table(
    "deletions",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("actor", Text, nullable=False),
    Column("begun", Moment, nullable=False),
    Column("ended", Moment),
    Column("until", Moment),
    Column("settled", Boolean, nullable=False),
    # The database, since then: nothing of the project is in pages that are not used.
    Column("rewritten", Boolean, nullable=False),
    Column("removed", Text, nullable=False),  # JSON: how many of each kind, and their bytes
)

deletion_places = Table(
    "deletion_places",
    metadata,
    # The bytes that rows named which are gone: to be looked at again.
    Column("project", String(64), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("name", String(128), primary_key=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """Things of one kind that are gone."""

    kind: str
    count: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """The deletion of one project."""

    project: ProjectId
    actor: str  # who began it
    begun: datetime
    ended: datetime | None
    until: datetime | None
    settled: bool
    rewritten: bool
    removed: tuple[Removed, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Bytes that a row named, which lie where the kind and the name say."""

    kind: str
    name: str


class DeletionRows:
    """The rows of deletions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, project: ProjectId) -> Deletion | None:
        query = select(deletions).where(deletions.c.project == project)
        row = await self._database.read(lambda c: c.execute(query).first())
        return None if row is None else _deletion_of(row)

    async def begin(self, project: ProjectId, at: datetime) -> None:
        """Have the project be deleted, its keys revoked; one that is going on goes on."""
        await self._database.write(lambda c: _begin(c, project, at), locks_rows=True)

    async def unsettled(self, now: datetime) -> list[Deletion]:
        """Return the deletions for which something may be to do: not ended, or to be settled."""
        query = select(deletions).where(
            deletions.c.settled.is_(False),
            or_(deletions.c.until.is_(None), deletions.c.until <= now),
        )
        return await self._database.read(lambda c: [_deletion_of(row) for row in c.execute(query)])

    async def end(
        self, project: ProjectId, at: datetime, *, until: datetime, rewritten: bool
    ) -> None:
        """Say that nothing is left of the project; again changes nothing."""
        await self._database.write(lambda c: _end(c, project, at, until=until, rewritten=rewritten))

    async def mark_soiled(self, project: ProjectId) -> None:
        """Say that something of the project came and went since the database was written anew."""
        changed = update(deletions).where(deletions.c.project == project).values(rewritten=False)
        await self._database.write(lambda c: c.execute(changed).close())

    async def settle(self, project: ProjectId, *, rewritten: bool) -> None:
        """Look at the places of the project no more: nobody is left who could write there."""

        def write(connection: Connection) -> None:
            connection.execute(delete(deletion_places).where(deletion_places.c.project == project))
            changed = update(deletions).where(deletions.c.project == project)
            connection.execute(changed.values(settled=True, rewritten=rewritten))

        await self._database.write(write)

    async def places(self, project: ProjectId, after: Place | None = None) -> list[Place]:
        """Return some of the project's places, in order, behind one."""
        it = deletion_places.c
        query = select(it.kind, it.name).where(it.project == project).order_by(it.kind, it.name)
        if after is not None:
            behind = and_(it.kind == after.kind, it.name > after.name)
            query = query.where(or_(it.kind > after.kind, behind))
        query = query.limit(PLACES_ROUND)
        return await self._database.read(
            lambda c: [Place(kind=row.kind, name=row.name) for row in c.execute(query)]
        )

    async def rewrite(self, size_bytes_max: int | None = None) -> bool:
        """Write the database anew, without what was in it; False: it is too large, or busy."""
        return await self._database.rewrite(size_bytes_max)

    @property
    def traces(self) -> str:
        """Say in which places removed rows leave traces until the database is written anew."""
        return self._database.traces

    async def rewrite_if_due(self) -> bool:
        """Do so if a deletion waits for it, and return whether one did; for who is alone."""
        due = select(deletions.c.project)
        due = due.where(deletions.c.rewritten.is_(False), deletions.c.ended.is_not(None)).limit(1)
        if await self._database.read(lambda c: c.execute(due).first()) is None:
            return False
        if await self._database.rewrite():
            done = update(deletions).where(deletions.c.ended.is_not(None)).values(rewritten=True)
            await self._database.write(lambda c: c.execute(done).close())
        return True


def check_living(connection: Connection, project: ProjectId, now: datetime) -> None:
    """Raise FailedPrecondition if the project is being deleted, or was a moment ago."""
    row = connection.execute(
        select(deletions.c.until).where(
            deletions.c.project == project,
            or_(deletions.c.until.is_(None), deletions.c.until > now),
        )
    ).first()
    if row is not None:
        raise FailedPrecondition(
            f"The project {project} is being deleted."
            if row.until is None
            else f"The project {project} was deleted; its name is free again at {row.until:%H:%M} "
            "UTC, when all calls have ended that had begun."
        )


def add_places(
    connection: Connection, project: ProjectId, kind: str, names: Iterable[str]
) -> list[str]:
    """Keep the places; return the names of those that were not kept before."""
    fresh = []
    for name in names:
        place = {"project": project, "kind": kind, "name": name}
        known = select(deletion_places.c.name).where(
            *(deletion_places.c[column] == value for column, value in place.items())
        )
        if connection.execute(known).first() is None:
            connection.execute(insert(deletion_places).values(place))
            fresh.append(name)
    return fresh


def count_removed(
    connection: Connection, project: ProjectId, kind: str, count: int, size_bytes: int = 0
) -> None:
    """Add to what the report says is gone."""
    it = deletions.c
    removed = json.loads(connection.scalar(select(it.removed).where(it.project == project)) or "{}")
    counted, summed = removed.get(kind, (0, 0))
    removed[kind] = (counted + count, summed + size_bytes)
    changed = update(deletions).where(it.project == project).values(removed=json.dumps(removed))
    connection.execute(changed)


def _begin(connection: Connection, project: ProjectId, at: datetime) -> None:
    lock_project(connection, project)
    going_on = select(deletions.c.project).where(
        deletions.c.project == project, deletions.c.ended.is_(None)
    )
    if connection.execute(going_on).first() is not None:
        return
    connection.execute(delete(deletions).where(deletions.c.project == project))
    connection.execute(
        insert(deletions).values(
            project=project,
            actor=deed.present().name,
            begun=at,
            settled=False,
            rewritten=False,
            removed="{}",
        )
    )
    valid = and_(keys.c.project == project, keys.c.revoked.is_(None))
    connection.execute(update(keys).where(valid).values(revoked=at))
    note(connection, Action.PROJECT_DELETE, project, f"projects/{project}", at, detail="begun")


def _end(
    connection: Connection, project: ProjectId, at: datetime, *, until: datetime, rewritten: bool
) -> None:
    going_on = and_(deletions.c.project == project, deletions.c.ended.is_(None))
    changed = update(deletions).where(going_on)
    ended = connection.execute(changed.values(ended=at, until=until, rewritten=rewritten))
    if not ended.rowcount:
        return
    row = connection.execute(select(deletions).where(deletions.c.project == project)).one()
    detail = "ended: " + (", ".join(f"{it.count} {it.kind}" for it in _removed_of(row)) or "empty")
    note(
        connection,
        Action.PROJECT_DELETE,
        project,
        f"projects/{project}",
        at,
        detail=detail,
        actor=row.actor,
    )


def _removed_of(row: Row[tuple[Any, ...]]) -> tuple[Removed, ...]:
    removed = json.loads(row.removed)
    return tuple(
        Removed(kind=kind, count=count, size_bytes=size_bytes)
        for kind, (count, size_bytes) in removed.items()
    )


def _deletion_of(row: Row[tuple[Any, ...]]) -> Deletion:
    return Deletion(**row._asdict() | {"removed": _removed_of(row)})
