"""The money that projects have spent on a day.

A row has the last day on which a project spent something, in UTC, and how much. It grows with the
counts of results and with the entries of interactive calls, in their transactions; a clock that
goes back to an earlier day adds to the later one. Functions run inside a transaction.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import BigInteger, Column, Connection, String, Table, insert, select, update

from toplu.clock import timestamp
from toplu.job import ProjectId
from toplu.money import UNITS
from toplu.store.rows.schema import metadata

DAY_LENGTH = len("2026-11-22")

spending = Table(
    "spending",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("day", String(10), nullable=False),
    # In two parts, as in the ledger.
    Column("cost_whole", BigInteger, nullable=False),
    Column("cost_units", BigInteger, nullable=False),
)


def add_spending(connection: Connection, costs: Iterable[tuple[ProjectId, str, int]]) -> None:
    """Add costs, each of a project on a day."""
    sums: Counter[tuple[ProjectId, str]] = Counter()
    for project, day, cost in costs:
        sums[project, day] += cost
    # In order: two groups wait for each other one way.
    for (project, day), cost in sorted(sums.items()):
        if cost:
            _add(connection, project, day, cost)


def _add(connection: Connection, project: ProjectId, day: str, cost: int) -> None:
    is_it = spending.c.project == project
    known = connection.execute(select(spending).where(is_it).with_for_update()).first()
    if known is not None and known.day >= day:
        day = known.day
        cost += known.cost_whole * UNITS + known.cost_units
    whole, units = divmod(cost, UNITS)
    values = {"day": day, "cost_whole": whole, "cost_units": units}
    if known is None:
        connection.execute(insert(spending).values(project=project, **values))
    else:
        connection.execute(update(spending).where(is_it).values(values))


def spent_on_day(connection: Connection, project: ProjectId, at: datetime) -> int:
    """Return what the project has spent on the day, in units of the currency."""
    row = connection.execute(select(spending).where(spending.c.project == project)).first()
    return 0 if row is None or row.day < day_of(at) else row.cost_whole * UNITS + row.cost_units


def day_of(moment: datetime) -> str:
    """Return the day in UTC, as 2026-11-22."""
    return timestamp(moment)[:DAY_LENGTH]
