"""The rows of a project as they go when it is deleted, a bounded number in a transaction.

Rows that name bytes leave the place behind (`store.rows.deletions`). Every table with a column
`project`, and every one that refers to such a table, is emptied of the project's rows, whatever it
is for: one that is new is no way to forget something.
"""

import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Table,
    and_,
    delete,
    func,
    select,
    tuple_,
    update,
)

from toplu.deed import Action
from toplu.job import Job, JobId, ProjectId
from toplu.store.rows import rates, spending, webhook_tables, worker_tables  # their tables too
from toplu.store.rows.audit import NO_NAME, audit
from toplu.store.rows.batches import forget_job, make_invisible
from toplu.store.rows.database import Database
from toplu.store.rows.deletions import add_places, count_removed, deletion_places, deletions
from toplu.store.rows.files import StoredFile, file_of
from toplu.store.rows.ledger_sums import SUM_PREFIX, merge_entries, remove_entries
from toplu.store.rows.schema import caches, files, jobs, ledger, ledger_labels, metadata, uploads
from toplu.store.rows.uploads import UploadState

JOBS_ROUND, ROUND = 100, 1000
# Each module adds its tables to the same metadata when it is imported.
assert metadata is rates.rates.metadata is worker_tables.workers.metadata
assert metadata is webhook_tables.webhooks.metadata is spending.spending.metadata

# These say what was done and what it cost; their contents go in other ways.
KEPT = frozenset({audit.name, deletions.name, deletion_places.name, ledger.name})
OF_FILES = (Action.FILE_CREATE, Action.FILE_READ, Action.FILE_DELETE)


class RemovalRows:
    """The rows of one project after the other."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def files(self, project: ProjectId) -> list[StoredFile]:
        """Return some of the project's files, deleted ones included."""
        query = select(files).where(files.c.project == project).limit(ROUND)
        return await self._database.read(lambda c: [file_of(row) for row in c.execute(query)])

    async def mark_files(self, project: ProjectId, gone: Sequence[StoredFile]) -> None:
        """Make the files invisible, and keep where their bytes lie."""

        def write(connection: Connection) -> None:
            fresh = set(add_places(connection, project, "blob", [it.blob for it in gone]))
            sizes = [it.size_bytes for it in gone if it.blob in fresh]
            count_removed(connection, project, "files", len(sizes), sum(sizes))
            are = and_(files.c.project == project, files.c.id.in_([it.id for it in gone]))
            connection.execute(update(files).where(are).values(deleted=True))

        await self._database.write(write)

    async def forget_files(self, project: ProjectId, gone: Sequence[StoredFile]) -> None:
        """Remove the rows of files that are invisible."""
        are = and_(files.c.project == project, files.c.id.in_([it.id for it in gone]))
        gone_rows = delete(files).where(are, files.c.deleted.is_(True))
        await self._database.write(lambda c: c.execute(gone_rows).close())

    async def jobs(self, project: ProjectId) -> list[JobId]:
        """Return some of the project's jobs, deleted ones included."""
        query = select(jobs.c.id).where(jobs.c.project == project).limit(JOBS_ROUND)
        return await self._database.read(lambda c: [JobId(it) for it in c.scalars(query)])

    async def mark_jobs(
        self, project: ProjectId, sizes: dict[JobId, int], at: datetime
    ) -> list[Job]:
        """End the jobs and make them invisible, parts of their batches too; return what ran.

        `sizes` has the bytes of each.
        """

        def write(connection: Connection) -> list[Job]:
            fresh = add_places(connection, project, "job", sizes)
            size_bytes = sum(sizes[JobId(name)] for name in fresh)
            count_removed(connection, project, "batches", len(fresh), size_bytes)
            marked = [make_invisible(connection, project, job, at) for job in sizes]
            return [job for of_batch in marked for job in of_batch]

        return await self._database.write(write)

    async def forget_jobs(self, gone: Sequence[JobId]) -> None:
        """Remove all rows of jobs that are invisible."""

        def write(connection: Connection) -> None:
            for job in gone:
                forget_job(connection, job)

        await self._database.write(write)

    async def uploads(self, project: ProjectId) -> list[str]:
        """Return some of the project's uploads."""
        query = select(uploads.c.id_hash).where(uploads.c.project == project).limit(ROUND)
        return await self._database.read(lambda c: list(c.scalars(query)))

    async def mark_uploads(self, project: ProjectId, sizes: dict[str, int]) -> None:
        """Cancel the uploads that go on; `sizes` has how many bytes of each have come."""

        def write(connection: Connection) -> None:
            fresh = add_places(connection, project, "upload", sizes)
            size_bytes = sum(sizes[name] for name in fresh)
            count_removed(connection, project, "uploads", len(fresh), size_bytes)
            active = and_(uploads.c.id_hash.in_(sizes), uploads.c.state == UploadState.ACTIVE)
            cancelled = update(uploads).where(active)
            connection.execute(cancelled.values(state=UploadState.CANCELLED))

        await self._database.write(write)

    async def forget_uploads(self, gone: Sequence[str]) -> None:
        """Remove the rows of uploads."""
        gone_rows = delete(uploads).where(uploads.c.id_hash.in_(gone))
        await self._database.write(lambda c: c.execute(gone_rows).close())

    async def remove_caches(self, project: ProjectId) -> bool:
        """Remove some caches with their contents; return whether there were any."""

        def write(connection: Connection) -> bool:
            size = func.length(caches.c.contents).label("size")
            found = select(caches.c.id, size).where(caches.c.project == project).limit(JOBS_ROUND)
            gone = connection.execute(found).all()
            if not gone:
                return False
            add_places(connection, project, "cache", [row.id for row in gone])
            size_bytes = sum(row.size for row in gone)
            count_removed(connection, project, "caches", len(gone), size_bytes)
            connection.execute(delete(caches).where(caches.c.id.in_([row.id for row in gone])))
            return True

        return await self._database.write(write)

    async def remove_others(self, project: ProjectId) -> bool:
        """Remove some rows of all other tables; return whether there were any."""
        return await self._database.write(lambda c: _remove_others(c, project))

    async def remove_ledger(self, project: ProjectId, *, keeps_sums: bool) -> bool:
        """Merge some entries of the ledger into sums without labels, or remove them."""
        remove = merge_entries if keeps_sums else remove_entries

        def write(connection: Connection) -> bool:
            entries, labels = remove(connection, project)
            if entries:
                count_removed(connection, project, "ledger entries", entries)
            if labels:
                count_removed(connection, project, "ledger labels", labels)
            return bool(entries)

        return await self._database.write(write)

    async def take_names_off(self, project: ProjectId) -> bool:
        """Take names off the audit log that a client may have chosen: those of files."""
        named = and_(
            audit.c.project == project, audit.c.action.in_(OF_FILES), audit.c.name != NO_NAME
        )
        some = select(audit.c.id).where(named).limit(ROUND)
        changed = update(audit).where(audit.c.id.in_(some)).values(name=NO_NAME)
        return await self._database.write(lambda c: c.execute(changed).rowcount) > 0

    async def remove_copies(self, project: ProjectId) -> None:
        """Remove the copies from before upgrades that have anything of the project."""
        copies = await self._database.copies_with(project)
        if copies:
            # Within a transaction: who finds them gone, and reports, waits for their count.
            await self._database.write(lambda c: _remove_copies(c, project, copies))

    async def left(self, project: ProjectId) -> dict[str, int]:
        """Return how many rows of which tables are still the project's, and ought not to be."""

        def look(connection: Connection) -> dict[str, int]:
            counts = {}
            for table, is_its in _conditions(project):
                counted = select(func.count()).select_from(table).where(is_its)
                counts[table.name] = connection.scalar(counted) or 0
            return {name: count for name, count in counts.items() if count}

        return await self._database.read(look)

    async def kept(self, project: ProjectId) -> dict[str, int]:
        """Return how many rows are kept of the project, by table."""

        def look(connection: Connection) -> dict[str, int]:
            return {
                table.name: connection.scalar(
                    select(func.count()).select_from(table).where(table.c.project == project)
                )
                or 0
                for table in (ledger, audit)
            }

        return await self._database.read(look)


def _owner(table: Table) -> Column[str]:
    return table.c.id if table.name == "projects" else table.c.project


def _conditions(project: ProjectId) -> Iterator[tuple[Table, ColumnElement[bool]]]:
    """Yield each table that ought to have nothing of the project, and what its rows are."""
    places = select(deletion_places.c.name).where(
        deletion_places.c.project == project, deletion_places.c.kind == "job"
    )
    for table in reversed(metadata.sorted_tables):
        if table.name in KEPT:
            continue
        if table.name == "projects" or "project" in table.c:
            yield table, _owner(table) == project
        elif table.name in ("shards", "segments", "label_sums", "steps"):
            yield table, table.c.job.in_(places)
        elif table is ledger_labels:
            yield table, table.c.entry.in_(select(ledger.c.id).where(ledger.c.project == project))
        else:
            yield from _children(table, project)
    yield (
        ledger,
        and_(ledger.c.project == project, ledger.c.id.not_like(f"{SUM_PREFIX}%")),
    )


def _children(table: Table, project: ProjectId) -> Iterator[tuple[Table, ColumnElement[bool]]]:
    """Yield the table if it refers to one with projects."""
    for key in table.foreign_keys:
        parent = key.column.table
        if "project" in parent.c:
            owned = select(key.column).where(parent.c.project == project)
            yield table, key.parent.in_(owned)


BY_THEMSELVES = frozenset(
    {"jobs", "shards", "segments", "label_sums", "steps", "files", "uploads", "caches"}
    | {ledger.name, ledger_labels.name}
)


def _remove_others(connection: Connection, project: ProjectId) -> bool:
    any_gone = False
    for table, is_its in _conditions(project):
        if table.name in BY_THEMSELVES:
            continue
        key = tuple_(*table.primary_key)
        some = select(*table.primary_key).where(is_its).limit(ROUND)
        gone = connection.execute(delete(table).where(key.in_(some))).rowcount
        if gone:
            count_removed(connection, project, table.name.replace("_", " "), gone)
            any_gone = True
    return any_gone


def _remove_copies(connection: Connection, project: ProjectId, copies: Sequence[Path]) -> None:
    sizes = []
    for copy in copies:
        with contextlib.suppress(FileNotFoundError):  # another process was first
            size_bytes = copy.stat().st_size
            copy.unlink()
            sizes.append(size_bytes)
    if sizes:
        count_removed(connection, project, "database copies", len(sizes), sum(sizes))
