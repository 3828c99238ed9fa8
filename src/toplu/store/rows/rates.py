"""The rates of projects: one row for each bucket that is not full, for all processes together.

A row says how much was in its bucket at a moment; a bucket fills steadily, and may be below zero.
Each write removes the rows of buckets that have become full. A limit that changes begins a bucket
of its own, so that processes which know different ones cannot refill each other's.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Delete,
    Float,
    Index,
    Select,
    String,
    Table,
    Text,
    Update,
    and_,
    bindparam,
    delete,
    insert,
    select,
    update,
)

from toplu.job import ProjectId
from toplu.store.rows.columns import Moment
from toplu.store.rows.database import Database
from toplu.store.rows.schema import metadata

MINUTE_SECONDS = 60
PORTIONS_PER_MINUTE = 600
FULL_SECONDS_MAX = 366 * 86400  # a longer debt is forgotten after so long: every row goes

rates = Table(
    "rates",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("model", Text, primary_key=True),
    Column("kind", String(64), primary_key=True),
    Column("per_minute", BigInteger, primary_key=True),
    Column("level", Float, nullable=False),
    Column("at", Moment, nullable=False),
    # When it will be full if nothing is taken.
    Column("full", Moment, nullable=False),
    Index("rates_full", "full"),
)


@dataclass(frozen=True, slots=True)
class Bucket:
    """A limit of a project: as much of a kind as a minute allows."""

    project: ProjectId
    model: str  # of the catalogue
    kind: str
    per_minute: int

    @property
    def portion(self) -> int:
        """Return what a process takes at a time: a tenth of a second's worth, at least one."""
        return max(1, self.per_minute // PORTIONS_PER_MINUTE)

    def seconds_of(self, amount: float) -> float:
        """Return how long it takes until so much has come."""
        return amount * MINUTE_SECONDS / self.per_minute


@dataclass(frozen=True, slots=True)
class Level:
    """The content of a bucket at a moment; below zero is a debt."""

    amount: float
    at: datetime

    @classmethod
    def full(cls, bucket: Bucket, now: datetime) -> "Level":
        return cls(float(bucket.per_minute), now)

    def filled(self, bucket: Bucket, now: datetime) -> "Level":
        """Return the level at `now`; a clock that went back fills nothing."""
        seconds = max(0.0, (now - self.at).total_seconds())
        gained = seconds * bucket.per_minute / MINUTE_SECONDS
        return Level(min(float(bucket.per_minute), self.amount + gained), now)

    def less(self, amount: int) -> "Level":
        return Level(self.amount - amount, self.at)


@dataclass(frozen=True, slots=True)
class Take:
    """An amount that a process takes from a bucket, if `needed` is there."""

    bucket: Bucket
    needed: int
    amount: int

    def is_there(self, level: Level) -> bool:
        return level.amount >= self.needed

    def taken_from(self, level: Level) -> int:
        """Return the amount, or a portion if that is more and there."""
        return max(self.amount, min(self.bucket.portion, int(level.amount)))


@dataclass(frozen=True, slots=True)
class Debit:
    """An amount that was used: it is taken off the bucket, whether or not it is there."""

    bucket: Bucket
    amount: int


class RateRows:
    """The rows of the buckets."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, takes: Sequence[Take], now: Callable[[], datetime]) -> list[Level]:
        """Take all if all are there, else nothing; return the levels that were found.

        `now` is asked inside the transaction: processes that wait for each other fill no time
        twice. Not synced: a machine that fails gives back what was taken last.
        """
        return await self._database.write(
            lambda c: _take(c, takes, now), is_synced=False, locks_rows=True
        )


def take_off(connection: Connection, debits: Sequence[Debit], now: Callable[[], datetime]) -> None:
    """Take off what was used; runs inside a transaction."""
    _lock(connection, [debit.bucket for debit in debits])
    moment = now()
    _remove_full(connection, moment)
    for debit in debits:
        level = _level_of(connection, debit.bucket, moment)
        _put(connection, debit.bucket, level.less(debit.amount))


def _take(
    connection: Connection, takes: Sequence[Take], now: Callable[[], datetime]
) -> list[Level]:
    _lock(connection, [take.bucket for take in takes])
    moment = now()
    _remove_full(connection, moment)
    levels = [_level_of(connection, take.bucket, moment) for take in takes]
    found = list(zip(takes, levels, strict=True))
    if all(take.is_there(level) for take, level in found):
        for take, level in found:
            _put(connection, take.bucket, level.less(take.taken_from(level)))
    return levels


def _lock(connection: Connection, buckets: Sequence[Bucket]) -> None:
    """Have others wait for the buckets that have rows; who inserts one first has it first."""
    for bucket in sorted(buckets, key=lambda it: (it.project, it.model, it.kind, it.per_minute)):
        connection.execute(_search().with_for_update(), _key_of(bucket)).close()


def _remove_full(connection: Connection, now: datetime) -> None:
    connection.execute(_removal(), {"now": now})


def _level_of(connection: Connection, bucket: Bucket, now: datetime) -> Level:
    row = connection.execute(_search(), _key_of(bucket)).first()
    if row is None:
        return Level.full(bucket, now)
    level = Level(row.level, row.at).filled(bucket, now)
    if now < row.at:
        _put(connection, bucket, level)  # else nothing filled until the time comes again
    return level


def _put(connection: Connection, bucket: Bucket, level: Level) -> None:
    seconds = bucket.seconds_of(bucket.per_minute - level.amount)
    full = level.at + timedelta(seconds=min(seconds, FULL_SECONDS_MAX))
    values = {"level": level.amount, "at": level.at, "full": full}
    if connection.execute(_change(), _key_of(bucket) | values).rowcount == 0:
        connection.execute(insert(rates), asdict(bucket) | values)


def _key_of(bucket: Bucket) -> dict[str, Any]:
    return {f"of_{name}": value for name, value in asdict(bucket).items()}


def _is_of_key() -> ColumnElement[bool]:
    return and_(*(column == bindparam(f"of_{column.name}") for column in rates.primary_key))


@functools.cache
def _removal() -> Delete:
    return delete(rates).where(rates.c.full <= bindparam("now", type_=Moment))


@functools.cache
def _search() -> Select[Any]:
    return select(rates.c.level, rates.c.at).where(_is_of_key())


@functools.cache
def _change() -> Update:
    return update(rates).where(_is_of_key())
