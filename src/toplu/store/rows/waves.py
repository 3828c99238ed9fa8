"""Shards of lines that waited for others; each function runs inside a transaction."""

from datetime import datetime

from sqlalchemy import Connection, exists, update

from toplu.job import JobId, JobState, Shard
from toplu.store.rows.job_mapping import insert_shards
from toplu.store.rows.job_room import is_visible
from toplu.store.rows.schema import jobs, shards
from toplu.store.rows.step_holds import end_steps


def plan_wave(
    connection: Connection, job_id: JobId, cut: list[Shard], tokens: int, at: datetime
) -> bool:
    """Keep the shards of a wave; see `JobRows.plan_wave`."""
    wave = shards.c.number.between(cut[0].number, cut[-1].number)
    planned = connection.execute(
        update(jobs)
        .where(
            jobs.c.id == job_id,
            is_visible(),
            jobs.c.state == JobState.RUNNING,
            ~exists().where(shards.c.job == job_id, wave),
        )
        .values(tokens_estimate=jobs.c.tokens_estimate + tokens, updated=at)
    )
    if not planned.rowcount:
        return False
    end_steps(connection, job_id)
    insert_shards(connection, job_id, cut)
    return True
