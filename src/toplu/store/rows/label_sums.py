"""Keeps what requests with labels used: by shard while a batch runs, then beside its ledger entry.

Each function runs inside a transaction.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from toplu.job import JobId, Shard
from toplu.labels import Label, LabelSum, LabelSums
from toplu.money import UNITS
from toplu.store.rows.schema import label_sums, ledger_labels


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelEntry:
    """The part of an entry of the ledger that requests with one label used, and its cost."""

    label: Label
    sum: LabelSum
    cost_units: int


def keep_sums(connection: Connection, shard: Shard, encoded: bytes) -> None:
    """Keep the sums of a shard in the place of what was kept before."""
    of_shard = (label_sums.c.job == shard.job, label_sums.c.shard == shard.number)
    known = connection.execute(update(label_sums).where(*of_shard).values(sums=encoded))
    if not known.rowcount:
        values = {"job": shard.job, "shard": shard.number, "sums": encoded}
        connection.execute(insert(label_sums).values(values))


def take_sums(connection: Connection, job: JobId) -> LabelSums:
    """Return the sums of all shards of a job together, which are kept no more."""
    of_job = label_sums.c.job == job
    query = select(label_sums.c.sums).where(of_job).order_by(label_sums.c.shard)
    sums = LabelSums()
    for encoded in connection.scalars(query):
        sums.add(LabelSums.decode(encoded))
    if sums:
        connection.execute(delete(label_sums).where(of_job))
    return sums


def insert_labels(connection: Connection, entry: str, labels: Sequence[LabelEntry]) -> None:
    """Write what the labels of an entry of the ledger say, which is named by its id."""
    if labels:
        connection.execute(insert(ledger_labels), [_values_of(entry, each) for each in labels])


def _values_of(entry: str, it: LabelEntry) -> dict[str, Any]:
    key, value = it.label
    whole, units = divmod(it.cost_units, UNITS)
    return {
        "entry": entry,
        "key": key,
        "value": value,
        "requests": it.sum.requests,
        **asdict(it.sum.usage),
        "cost_whole": whole,
        "cost_units": units,
    }
