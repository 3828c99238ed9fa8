"""The ledger of a project that is deleted: sums without labels, for the bill, or nothing.

Entries are merged some at a time; a sum has an id that follows from what it is of, so that a merge
which was cut short goes on. Each function runs inside a transaction.
"""

import hashlib
from typing import Any

from sqlalchemy import Connection, and_, delete, func, insert, select, update

from toplu.job import ProjectId
from toplu.money import UNITS
from toplu.store.rows.ledger import KEY, SUMMED
from toplu.store.rows.schema import ledger, ledger_labels

ROUND = 5000
SUM_PREFIX = "sum-"
Gone = tuple[int, int]  # entries, labels


def merge_entries(connection: Connection, project: ProjectId) -> Gone:
    """Merge some entries into those of their model, day and kind; return what is gone."""
    some = _some(connection, project)
    if not some:
        return 0, 0
    sums = (func.sum(ledger.c[name]).label(name) for name in SUMMED)
    query = select(*KEY, *sums).where(ledger.c.id.in_(some)).group_by(*KEY)
    for row in connection.execute(query).all():
        _add(connection, row._asdict())
    return _remove(connection, some)


def remove_entries(connection: Connection, project: ProjectId) -> Gone:
    """Remove some entries, sums of an earlier deletion too; return what is gone."""
    its = select(ledger.c.id).where(ledger.c.project == project).limit(ROUND)
    return _remove(connection, list(connection.scalars(its)))


def _some(connection: Connection, project: ProjectId) -> list[str]:
    """Return entries that are no sums, day by day, as the index has them."""
    found: list[str] = []
    day = ""
    while len(found) < ROUND:
        next_day = connection.scalar(select(func.min(ledger.c.day)).where(ledger.c.day > day))
        if next_day is None:
            break
        day = next_day
        entries = and_(
            ledger.c.day == day,
            ledger.c.project == project,
            ledger.c.id.not_like(f"{SUM_PREFIX}%"),
        )
        query = select(ledger.c.id).where(entries).limit(ROUND - len(found))
        found += connection.scalars(query)
    return found


def _add(connection: Connection, values: dict[str, Any]) -> None:
    key = "\n".join(str(values[column.name]) for column in KEY)
    sum_id = SUM_PREFIX + hashlib.sha256(key.encode()).hexdigest()[:40]
    known = connection.execute(select(ledger).where(ledger.c.id == sum_id)).first()
    if known is not None:
        before = known._asdict()
        values |= {name: values[name] + before[name] for name in SUMMED}
    # What is less than a whole does not outgrow its column, however much is added.
    whole, units = divmod(values["cost_units"], UNITS)
    values |= {"cost_whole": values["cost_whole"] + whole, "cost_units": units}
    if known is not None:
        connection.execute(update(ledger).where(ledger.c.id == sum_id).values(values))
    else:
        connection.execute(insert(ledger).values(values | {"id": sum_id}))


def _remove(connection: Connection, entries: list[str]) -> Gone:
    labels = connection.execute(delete(ledger_labels).where(ledger_labels.c.entry.in_(entries)))
    gone = connection.execute(delete(ledger).where(ledger.c.id.in_(entries)))
    return gone.rowcount, labels.rowcount
