"""Reads what projects have spent: today, and for each batch that goes on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, func, select

from toplu.job import JobId, ProjectId
from toplu.money import Kind
from toplu.store.rows.database import Database
from toplu.store.rows.job_mapping import prices_of, usage_of
from toplu.store.rows.job_room import is_unfinished, is_visible
from toplu.store.rows.schema import jobs
from toplu.store.rows.spending import spent_on_day


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """The spending of a project, in units of the currency."""

    today: int = 0
    batches: Mapping[JobId, int] = field(default_factory=dict)  # that go on, their parts together


class SpentRows:
    """The rows that say what was spent."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, project: ProjectId, now: datetime, *, by_batch: bool = False) -> Spent:
        """Return what the project has spent today, and what for each batch if that is wanted."""

        def read(connection: Connection) -> Spent:
            batches = _costs_of_batches(connection, project) if by_batch else {}
            return Spent(today=spent_on_day(connection, project, now), batches=batches)

        return await self._database.read(read)


def _costs_of_batches(connection: Connection, project: ProjectId) -> dict[JobId, int]:
    """Return what each batch has cost of which a job is unfinished."""
    batch = func.coalesce(jobs.c.part_of, jobs.c.id)
    unfinished = select(batch).where(is_unfinished(), jobs.c.project == project)
    query = select(jobs).where(jobs.c.project == project, is_visible(), batch.in_(unfinished))
    costs: dict[JobId, int] = {}
    for row in connection.execute(query):
        name = JobId(row.part_of or row.id)
        cost = prices_of(row).cost(usage_of(row), Kind.BATCH)
        costs[name] = costs.get(name, 0) + cost
    return costs
