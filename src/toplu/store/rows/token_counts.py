"""The tokens of jobs that are at work, for whoever wants to know how fast they grow."""

from datetime import datetime

from sqlalchemy import or_, select

from toplu.job import JobId, JobState
from toplu.store.rows.database import Database
from toplu.store.rows.schema import jobs


class TokenCounts:
    """Reads them of the rows of jobs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def since(self, moment: datetime) -> dict[JobId, int]:
        """Return the tokens so far of each job that runs, or has ended since."""
        used = (jobs.c.prompt_tokens + jobs.c.output_tokens).label("used")
        query = select(jobs.c.id, used).where(
            or_(jobs.c.state == JobState.RUNNING, jobs.c.ended >= moment)
        )
        return await self._database.read(
            lambda c: {JobId(row.id): row.used for row in c.execute(query)}
        )
