"""Brings a database up to the present schema; a copy of what it was stays beside it.

toplu.db ──VACUUM INTO──▶ toplu.db.0007      the copy has the schema in its name
   └─────migrations─────▶ toplu.db           one transaction: all of them or none
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from toplu.errors import ConfigurationError
from toplu.store.blobs.folders import sync_folder
from toplu.store.rows.migrating import bring_up_to_date

log = structlog.get_logger()

COPIES_MAX = 2
UNFINISHED = ".unfinished"


def migrate(engine: Engine, revision: str = "head", *, upgrades: bool = True) -> None:
    """Bring the tables up to a revision in one transaction, so that two processes take turns.

    ConfigurationError: a newer version wrote them, or there is no space; nothing has changed then.
    SchemaOlder: they are not up to date, and `upgrades` does not allow it.
    """
    database = Path(str(engine.url.database))

    def keep_copy(schema: str) -> None:
        # The transaction has begun: nobody writes to the database that is copied.
        copy = _keep_copy(database, schema)
        log.info("database_copied", database=str(database), copy=str(copy))

    with engine.begin() as connection:
        try:
            bring_up_to_date(
                connection, str(database), revision, upgrades=upgrades, before=keep_copy
            )
        except (sqlite3.Error, OperationalError, OSError) as error:
            reason = error.orig if isinstance(error, OperationalError) else error
            raise ConfigurationError(
                f"{database}: cannot be upgraded: {reason}; it is as it was, start again when the "
                "disk has space for a copy of it"
            ) from error


def _keep_copy(database: Path, schema: str) -> Path:
    """Copy the database as it was committed last; the copy is there as a whole or not at all."""
    copy = database.with_name(f"{database.name}.{schema}")
    unfinished = copy.with_name(f"{copy.name}{UNFINISHED}")
    _remove(copy.parent.glob(f"{database.name}.*{UNFINISHED}"))
    try:
        # SQLite writes into an empty file that is there, and leaves its mode alone.
        with os.fdopen(os.open(unfinished, os.O_CREAT | os.O_EXCL, 0o600)) as file:
            with contextlib.closing(sqlite3.connect(database)) as connection:
                connection.execute("VACUUM INTO ?", (str(unfinished),))
            os.fsync(file.fileno())
        unfinished.replace(copy)
        sync_folder(copy.parent)
    except BaseException:
        _remove([unfinished])
        raise
    _remove_older_copies(copy)
    return copy


def copies_with(database: Path, project: str) -> list[Path]:
    """Return the copies of a database that have anything of the project; blocking."""
    copies = []
    for copy in database.parent.glob(f"{database.name}.[0-9]*"):
        with contextlib.suppress(FileNotFoundError):
            if _has_any(copy, project):
                copies.append(copy)
    return copies


def _has_any(copy: Path, project: str) -> bool:
    read_only = f"{copy.absolute().as_uri()}?mode=ro&immutable=1"
    try:
        with contextlib.closing(sqlite3.connect(read_only, uri=True)) as connection:
            return any(_has_rows(connection, table, project) for table in _tables(connection))
    except sqlite3.OperationalError as error:
        raise FileNotFoundError(copy) from error
    except sqlite3.DatabaseError:
        return True  # it is damaged: nobody can say what it has


def _tables(connection: sqlite3.Connection) -> list[str]:
    found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    return [table for (table,) in found]


def _has_rows(connection: sqlite3.Connection, table: str, project: str) -> bool:
    columns = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
    owner = "project" if "project" in columns else "id" if table == "projects" else None
    if owner is None:
        return False
    query = f"SELECT 1 FROM {table} WHERE {owner} = ? LIMIT 1"  # noqa: S608  # names of ours
    return connection.execute(query, (project,)).fetchone() is not None


def _remove_older_copies(copy: Path) -> None:
    """Leave the copy and the one made last before it."""
    others = [path for path in copy.parent.glob(f"{copy.stem}.[0-9]*") if path != copy]
    others.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
    _remove(others[COPIES_MAX - 1 :])


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
