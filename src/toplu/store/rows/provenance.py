"""Facts of what computed the answers of jobs, each once."""

from typing import Any

import msgspec
from sqlalchemy import Connection, select, update

from toplu.job import JobId
from toplu.store.rows.database import Database
from toplu.store.rows.schema import jobs

COMPUTERS_MAX = 16  # of a job; it would take as many restarts with other settings


class ProvenanceRows:
    """Adds to what jobs say of it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, job: JobId, computed_by: bytes) -> None:
        """Have the job say that it has answers of this, a JSON object; idempotent.

        It is not synced: the answers that follow it are.
        """
        await self._database.write(
            lambda c: _add(c, job, computed_by), is_synced=False, locks_rows=True
        )


def _add(connection: Connection, job: JobId, computed_by: bytes) -> None:
    is_it = jobs.c.id == job
    known = connection.scalar(select(jobs.c.computed_by).where(is_it).with_for_update())
    computers: list[Any] = msgspec.json.decode(known or b"[]")
    new = msgspec.json.decode(computed_by)
    if new not in computers and len(computers) < COMPUTERS_MAX:
        written = msgspec.json.encode([*computers, new])
        connection.execute(update(jobs).where(is_it).values(computed_by=written))
