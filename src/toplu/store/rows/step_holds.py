"""Holds on steps of jobs: one worker at a time has a step.

A hold lapses unless its worker goes on saying that it lives, and is free at once when the worker is
found dead. It needs no epoch: what a step makes is the same whoever makes it, and the last write of
each is guarded by the state of its job. So two at once, after a lapse, are double work and no harm.
A step ends in the transaction that finishes it. Removing what is deleted is no such step: it goes
on where nothing can be written, and two may do it at once. Functions run inside a transaction.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select, update

from toplu.job import JobId
from toplu.store.rows.worker_tables import steps

LIFE = timedelta(seconds=60)  # of a hold that is not prolonged


class StepKind(StrEnum):
    """The kind of a step: a job may have one of each."""

    PLAN = "PLAN"
    ORDER = "ORDER"
    ASSEMBLE = "ASSEMBLE"


def hold_step(
    connection: Connection, kind: StepKind, job: JobId, owner: str, now: datetime
) -> None:
    """Hold the step for the worker, whoever had it."""
    connection.execute(delete(steps).where(steps.c.job == job, steps.c.kind == kind))
    connection.execute(insert(steps).values(job=job, kind=kind, owner=owner, expires=now + LIFE))


def end_steps(connection: Connection, job: JobId) -> None:
    """End the steps of the job, whoever holds them."""
    connection.execute(delete(steps).where(steps.c.job == job))


def prolong_steps(connection: Connection, owner: str, now: datetime) -> None:
    """Keep what the worker holds from lapsing."""
    connection.execute(update(steps).where(steps.c.owner == owner).values(expires=now + LIFE))


def owners_of_steps(connection: Connection) -> set[str]:
    """Return who holds a step, whether or not the hold has lapsed."""
    return set(connection.scalars(select(steps.c.owner).distinct()))


def end_steps_of(connection: Connection, owners: Collection[str]) -> None:
    """End every step of the owners."""
    connection.execute(delete(steps).where(steps.c.owner.in_(owners)))


def is_held_by_another(
    job: JobId | ColumnElement[str], kind: StepKind, owner: str, now: datetime
) -> ColumnElement[bool]:
    """Condition: another worker holds the step."""
    return and_(
        steps.c.job == job,
        steps.c.kind == kind,
        steps.c.owner != owner,
        steps.c.expires > now,
    )
