"""A database on a disk that cannot be written, without a disk."""

import contextlib
from collections.abc import AsyncIterator

from toplu.store.rows.database import Database


@contextlib.asynccontextmanager
async def read_only(database: Database) -> AsyncIterator[None]:
    """Have SQLite refuse every change until the block ends."""
    _switch(database, "ON")
    try:
        yield
    finally:
        _switch(database, "OFF")


def _switch(database: Database, state: str) -> None:
    # Beside the transactions: in this state none can begin.
    with contextlib.closing(database._writer.raw_connection()) as connection:
        connection.cursor().execute(f"PRAGMA query_only = {state}")
