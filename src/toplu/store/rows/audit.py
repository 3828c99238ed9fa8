"""The audit log: who did what, a row for each deed, written in the transaction that does it.

A row is never changed, and goes only when it is too old: triggers of the database refuse all else,
which holds off mistakes, and nobody who may write to the file.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    Row,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    update,
)

from toplu import deed
from toplu.deed import Action, Actor
from toplu.job import ProjectId
from toplu.store.rows.columns import Moment
from toplu.store.rows.database import Database
from toplu.store.rows.schema import metadata

ROUND_MAX = 10_000  # rows that go at a time
NO_NAME = "files/-"  # of a file whose project is deleted

audit = Table(
    "audit",
    metadata,
    # Never used twice: a number that is missing between two others says that a row is.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at", Moment, nullable=False),
    Column("project", String(64), nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", String(32), nullable=False),
    Column("name", Text, nullable=False),
    Column("detail", Text),
    Column("client", Text),
    Column("call", Text),
    Index("audit_of_project", "project", "id"),
    Index("audit_at", "at"),
    sqlite_autoincrement=True,
)

audit_horizon = Table(
    "audit_horizon",
    metadata,
    # One row: what was done before is too old to be kept.
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One deed."""

    at: datetime
    project: ProjectId
    actor: str
    action: Action
    name: str  # of the thing that it was done to
    detail: str | None = None
    client: str | None = None
    call: str | None = None
    id: int = 0  # by order of time; 0: not written yet

    @classmethod
    def of(
        cls,
        action: Action,
        project: ProjectId,
        name: str,
        at: datetime,
        *,
        detail: str | None = None,
        actor: str | None = None,
    ) -> "AuditEntry":
        """Return the entry of what is done at present, in the name of `actor` if that is given."""
        by: Actor = deed.present()
        if actor is not None:
            by = replace(by, name=actor)
        return cls(
            at=at,
            project=project,
            actor=by.name,
            action=action,
            name=name,
            detail=detail,
            client=by.client,
            call=by.call,
        )


class AuditRows:
    """The rows of the audit log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, entries: Sequence[AuditEntry]) -> None:
        """Write what was done without a transaction of its own."""
        await self._database.write(lambda c: insert_deeds(c, entries))

    async def page(
        self,
        size: int,
        *,
        project: ProjectId | None = None,
        since: datetime | None = None,
        actions: Sequence[Action] = (),
        before: int | None = None,
    ) -> list[AuditEntry]:
        """Return up to `size` entries, newest first; None and no actions are any."""
        query = select(audit).order_by(audit.c.id.desc()).limit(size)
        if project is not None:
            query = query.where(audit.c.project == project)
        if since is not None:
            query = query.where(audit.c.at >= since)
        if actions:
            query = query.where(audit.c.action.in_(actions))
        if before is not None:
            query = query.where(audit.c.id < before)
        return await self._database.read(lambda c: [_entry_of(row) for row in c.execute(query)])

    async def forget_before(self, moment: datetime) -> bool:
        """Remove entries older than that, a bounded number; return whether there are more."""
        oldest = select(func.min(audit.c.at))
        first = await self._database.read(lambda c: c.scalar(oldest))
        if first is None or first >= moment:
            return False
        return await self._database.write(lambda c: _forget_before(c, moment))


def insert_deeds(connection: Connection, entries: Sequence[AuditEntry]) -> None:
    """Write the entries; runs inside the transaction that does what they say."""
    values = [asdict(entry) for entry in entries]
    for each in values:
        del each["id"]
    connection.execute(insert(audit), values)


def note(
    connection: Connection,
    action: Action,
    project: ProjectId,
    name: str,
    at: datetime,
    *,
    detail: str | None = None,
    actor: str | None = None,
) -> None:
    """Write one entry of what is done at present; see `AuditEntry.of`."""
    entry = AuditEntry.of(action, project, name, at, detail=detail, actor=actor)
    insert_deeds(connection, [entry])


def _forget_before(connection: Connection, moment: datetime) -> bool:
    changed = connection.execute(
        update(audit_horizon).where(audit_horizon.c.at < moment).values(at=moment)
    )
    assert changed.rowcount <= 1, "there is one horizon"
    old = select(audit.c.id).where(audit.c.at < moment).order_by(audit.c.at).limit(ROUND_MAX)
    gone = connection.execute(delete(audit).where(audit.c.id.in_(old)))
    return gone.rowcount == ROUND_MAX


def _entry_of(row: Row[tuple[Any, ...]]) -> AuditEntry:
    values = row._asdict()
    return AuditEntry(**values | {"action": Action(row.action)})
