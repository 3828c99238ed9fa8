"""Projects: the tiers that were given to them, and what they use at the moment."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select

from toplu.deed import Action
from toplu.job import ProjectId
from toplu.store.rows.audit import note
from toplu.store.rows.database import Database
from toplu.store.rows.deletions import check_living
from toplu.store.rows.files import FileSource
from toplu.store.rows.job_room import is_unfinished
from toplu.store.rows.locks import lock_project
from toplu.store.rows.schema import files, jobs, keys, ledger, projects


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """The use that a project makes of its quotas."""

    unfinished_batches: int
    enqueued_tokens: dict[str, int]  # estimated, by model of the catalogue
    storage_bytes: int


class ProjectRows:
    """The rows of projects; one without a row has the first tier."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def tier_of(self, project: ProjectId) -> str | None:
        query = select(projects.c.tier).where(projects.c.id == project)
        return await self._database.read(lambda c: c.scalar(query))

    async def set_tier(self, project: ProjectId, tier: str, at: datetime) -> None:
        def replace(connection: Connection) -> None:
            lock_project(connection, project)
            check_living(connection, project, at)
            connection.execute(delete(projects).where(projects.c.id == project))
            connection.execute(insert(projects).values(id=project, tier=tier, updated=at))
            name = f"projects/{project}"
            note(connection, Action.PROJECT_UPDATE, project, name, at, detail=f"tier {tier}")

        await self._database.write(replace, locks_rows=True)

    async def known(self) -> list[ProjectId]:
        """Return every project that has a tier, a key, a batch, a file or a ledger entry."""
        owners = (keys.c.project, jobs.c.project, files.c.project, ledger.c.project)
        query = select(projects.c.id).union(*(select(owner) for owner in owners))
        found = await self._database.read(lambda c: c.scalars(query).all())
        return sorted(ProjectId(project) for project in found)

    async def holdings(self, project: ProjectId) -> Holdings:
        """Return what the project uses; computed from what it has, so nothing is ever stuck."""
        by_model = (
            select(jobs.c.engine, func.count(), func.sum(jobs.c.tokens_estimate))
            .where(is_unfinished(), jobs.c.project == project)
            .group_by(jobs.c.engine)
            .order_by(jobs.c.engine)
        )
        stored = select(func.coalesce(func.sum(files.c.size_bytes), 0)).where(
            files.c.project == project,
            files.c.source != FileSource.GENERATED,
            files.c.deleted.is_(False),
        )
        rows = await self._database.read(lambda c: c.execute(by_model).all())
        size_bytes = await self._database.read(lambda c: c.scalar(stored))
        assert size_bytes is not None, "a sum is always there"
        return Holdings(
            unfinished_batches=sum(count for _, count, _ in rows),
            enqueued_tokens={model: tokens for model, _, tokens in rows},
            storage_bytes=size_bytes,
        )
