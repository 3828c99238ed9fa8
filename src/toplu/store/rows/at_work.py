"""The lanes that work for each job, of every worker; each function runs inside a transaction.

A worker writes its changes with a lease or a group of results, which it writes anyway, and all it
has with each heartbeat.
"""

import functools
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, Delete, Select, bindparam, delete, func, insert, select

from toplu.job import JobId
from toplu.store.rows.worker_tables import at_work


@dataclass(frozen=True, slots=True, kw_only=True)
class AtWork:
    """The lanes of a worker's engine that work for a job."""

    worker: str
    engine: str
    job: JobId
    lanes: int  # none: they have gone on to others


def write_changes(connection: Connection, changes: Sequence[AtWork]) -> None:
    """Replace what was known of the same lanes and jobs."""
    if not changes:
        return
    connection.execute(
        _deletion(),
        [{"of_worker": it.worker, "of_engine": it.engine, "of_job": it.job} for it in changes],
    )
    if rows := [asdict(it) for it in changes if it.lanes]:
        connection.execute(insert(at_work), rows)


def read_lanes(connection: Connection, engine: str, besides: str | None) -> dict[JobId, int]:
    """Return how many lanes of the engine work for each job, of all workers but `besides`."""
    rows = connection.execute(_lanes(), {"engine": engine, "besides": besides or ""})
    return {JobId(row.job): int(row.lanes) for row in rows}


@functools.cache
def _deletion() -> Delete:
    return delete(at_work).where(
        at_work.c.worker == bindparam("of_worker"),
        at_work.c.engine == bindparam("of_engine"),
        at_work.c.job == bindparam("of_job"),
    )


@functools.cache
def _lanes() -> Select[Any]:
    return (
        select(at_work.c.job, func.sum(at_work.c.lanes).label("lanes"))
        .where(at_work.c.engine == bindparam("engine"), at_work.c.worker != bindparam("besides"))
        .group_by(at_work.c.job)
    )
