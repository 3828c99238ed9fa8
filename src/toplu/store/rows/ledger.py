"""The ledger: usage and cost, one row for each batch and for each interactive call.

A row is written once and never changed. That of a batch is written in the transaction that ends
the batch; see `store.rows.job_mapping`.
"""

import operator
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, insert, select

from toplu.job import Job, ProjectId
from toplu.labels import LabelSums
from toplu.money import TOKENS, UNITS, Kind, Prices, Usage
from toplu.store.rows.database import Database
from toplu.store.rows.label_sums import LabelEntry, insert_labels, take_sums
from toplu.store.rows.schema import ledger, ledger_labels
from toplu.store.rows.spending import add_spending, day_of


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One batch or one interactive call."""

    id: str
    project: ProjectId
    model: str  # of the catalogue
    kind: Kind
    day: str  # in UTC, as 2026-11-22
    requests: int
    usage: Usage
    currency: str
    cost_units: int
    labels: tuple[LabelEntry, ...] = ()  # of the same, what requests with labels used

    @classmethod
    def of(
        cls,
        *,
        entry_id: str,
        project: ProjectId,
        model: str,
        kind: Kind,
        at: datetime,
        requests: int,
        usage: Usage,
        prices: Prices,
        labels: LabelSums | None = None,
    ) -> "LedgerEntry":
        """Return the entry of what ended at `at`, with its cost."""
        return cls(
            id=entry_id,
            project=project,
            model=model,
            kind=kind,
            day=day_of(at),
            requests=requests,
            usage=usage,
            currency=prices.currency,
            cost_units=prices.cost(usage, kind),
            labels=tuple(
                LabelEntry(label=label, sum=each, cost_units=prices.cost(each.usage, kind))
                for label, each in (labels or LabelSums()).items()
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """The entries of one project, model, day and kind together."""

    project: ProjectId
    model: str
    day: str
    kind: Kind
    requests: int
    usage: Usage
    currency: str
    cost_units: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelTotal:
    """The requests with one label of one project, model, day and kind together."""

    key: str  # empty: those labels of large batches that were not summed apart
    value: str
    total: Total


class LedgerRows:
    """The rows of the ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self, entries: Sequence[LedgerEntry], beside: Callable[[Connection], None] | None = None
    ) -> None:
        """Write the entries of calls, and what `beside` writes, all or none."""

        def write(connection: Connection) -> None:
            insert_entries(connection, entries)
            add_spending(connection, [(it.project, it.day, it.cost_units) for it in entries])
            if beside is not None:
                beside(connection)

        await self._database.write(write, locks_rows=True)

    async def totals(
        self,
        *,
        project: ProjectId | None = None,
        model: str | None = None,
        first_day: str | None = None,
        last_day: str | None = None,
    ) -> list[Total]:
        """Return the totals by project, model, day and kind, in this order; None is any."""
        wanted = _conditions(project, model, first_day, last_day)
        sums = (func.sum(ledger.c[name]).label(name) for name in SUMMED)
        query = select(*KEY, *sums).where(*wanted).group_by(*KEY).order_by(*KEY)
        return await self._database.read(lambda c: [_total_of(row) for row in c.execute(query)])

    async def label_totals(
        self,
        *,
        project: ProjectId | None = None,
        model: str | None = None,
        first_day: str | None = None,
        last_day: str | None = None,
    ) -> list[LabelTotal]:
        """Return the totals by label, project, model, day and kind; a request counts in several."""
        wanted = _conditions(project, model, first_day, last_day)
        key = (ledger_labels.c.key, ledger_labels.c.value, *KEY)
        sums = (func.sum(ledger_labels.c[name]).label(name) for name in SUMMED)
        query = (
            select(*key, *sums)
            .join_from(ledger_labels, ledger, ledger.c.id == ledger_labels.c.entry)
            .where(*wanted)
            .group_by(*key)
            .order_by(*key)
        )
        return await self._database.read(
            lambda c: [
                LabelTotal(key=row.key, value=row.value, total=_total_of(row))
                for row in c.execute(query)
            ]
        )

    async def usage_of(self, entry_id: str) -> Usage | None:
        """Return what an entry says was used, or None if there is no such entry."""
        query = select(*(ledger.c[name] for name in TOKENS)).where(ledger.c.id == entry_id)
        row = await self._database.read(lambda c: c.execute(query).first())
        return None if row is None else Usage(**row._asdict())


KEY = tuple(ledger.c[name] for name in ("project", "model", "day", "kind", "currency"))
SUMMED = ("requests", *TOKENS, "cost_whole", "cost_units")


def _conditions(
    project: ProjectId | None, model: str | None, first_day: str | None, last_day: str | None
) -> list[ColumnElement[bool]]:
    """Return what an entry has to be; None is any, and days are included."""
    return [
        compare(column, value)
        for column, compare, value in (
            (ledger.c.project, operator.eq, project),
            (ledger.c.model, operator.eq, model),
            (ledger.c.day, operator.ge, first_day),
            (ledger.c.day, operator.le, last_day),
        )
        if value is not None
    ]


def insert_entries(connection: Connection, entries: Sequence[LedgerEntry]) -> None:
    """Write the entries; runs inside a transaction."""
    connection.execute(insert(ledger), [_values_of(entry) for entry in entries])
    for entry in entries:
        insert_labels(connection, entry.id, entry.labels)


def insert_batch_entry(connection: Connection, job: Job, at: datetime) -> None:
    """Write what the job used until it ended, at `at`."""
    entry = LedgerEntry.of(
        entry_id=job.id,
        project=job.project,
        model=job.engine,
        kind=Kind.BATCH,
        at=at,
        requests=job.counts.run,
        usage=job.usage,
        prices=job.prices,
        labels=take_sums(connection, job.id),
    )
    insert_entries(connection, [entry])


def _values_of(entry: LedgerEntry) -> dict[str, Any]:
    whole, units = divmod(entry.cost_units, UNITS)
    return {
        "id": entry.id,
        "project": entry.project,
        "model": entry.model,
        "kind": entry.kind,
        "day": entry.day,
        "requests": entry.requests,
        **asdict(entry.usage),
        "currency": entry.currency,
        "cost_whole": whole,
        "cost_units": units,
    }


def _total_of(row: Row[tuple[Any, ...]]) -> Total:
    return Total(
        project=ProjectId(row.project),
        model=row.model,
        day=row.day,
        kind=Kind(row.kind),
        requests=row.requests,
        usage=Usage(**{name: getattr(row, name) for name in TOKENS}),
        currency=row.currency,
        cost_units=row.cost_whole * UNITS + row.cost_units,
    )
