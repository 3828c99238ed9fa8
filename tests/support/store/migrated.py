"""Databases that are made by a copy of one that was migrated, instead of by the migrations."""

import functools
from pathlib import Path
from tempfile import TemporaryDirectory

from toplu.store.rows.database import Database
from toplu.store.rows.sqlite import SqliteDatabase


@functools.cache
def _migrated() -> bytes:
    """Return the file of an empty database; closing it has put its log into the file."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "toplu.db"
        SqliteDatabase._open(path)._close()
        assert [each.name for each in Path(folder).iterdir()] == [path.name]
        return path.read_bytes()


def put_migrated(path: Path) -> None:
    """Put an empty database where there is none yet; its folder is made if need be."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_bytes(_migrated())


async def open_migrated(path: Path) -> Database:
    """Open the database, which is empty if it was not there."""
    put_migrated(path)
    return await SqliteDatabase.open(path)
