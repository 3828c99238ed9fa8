"""The experience with a project: what the answers of its last jobs on an engine used.

A job is added when it ends, in the same transaction, and none counts for more than a few answers:
a huge one says no more of the next than a small one (`job.Experience`). The sums are all that is
kept, and stay small: what is older counts the less.
"""

from typing import Any

from sqlalchemy import Connection, Row, and_, select, update

from toplu.job import Experience, Job
from toplu.money import Usage
from toplu.store.rows.schema import shares

# About 32 jobs: a project that changes its ways is known again after so many.
ANSWERS_MAX = 2048
TOKENS = ("prompt_tokens", "cached_tokens", "output_tokens")


def experience_of(row: Row[Any]) -> Experience:
    """Return the experience of a row of `shares`."""
    usage = Usage(**{name: getattr(row, name) for name in TOKENS})
    return Experience(answers=row.answers, usage=usage)


def learn_from(connection: Connection, job: Job) -> None:
    """Add what the job used, which has ended, to the experience with its project."""
    gained = Experience.of(job.counts, job.usage)
    is_it = and_(shares.c.engine == job.engine, shares.c.project == job.project)
    row = connection.execute(select(shares).where(is_it).with_for_update()).first()
    if row is None or not gained.answers:
        return
    both = (experience_of(row) + gained).remembered(ANSWERS_MAX)
    tokens = {name: getattr(both.usage, name) for name in TOKENS}
    connection.execute(update(shares).where(is_it).values(answers=both.answers, **tokens))
