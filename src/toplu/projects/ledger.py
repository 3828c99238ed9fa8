"""Adds interactive calls to the ledger, and sums it up for reports.

The entry of a batch is not made here: it is written in the transaction that ends the batch.
"""

import asyncio
from dataclasses import dataclass
from functools import partial

from toplu.clock import Clock, random_id
from toplu.errors import Unavailable
from toplu.job import ProjectId
from toplu.labels import Labels, LabelSums
from toplu.money import Kind, Prices, Usage
from toplu.store.rows.ledger import LabelTotal, LedgerEntry, LedgerRows, Total
from toplu.store.rows.rates import Debit, take_off

__all__ = ["LabelTotal", "Ledger", "Total"]

ENTRY_ID_LENGTH = 34


@dataclass(frozen=True, slots=True)
class _Waiting:
    entry: LedgerEntry
    debit: Debit | None
    outcome: asyncio.Future[Exception | None]


class Ledger:
    """Writes what interactive calls used; calls that end together share a transaction."""

    def __init__(self, *, clock: Clock, rows: LedgerRows) -> None:
        self._clock = clock
        self._rows = rows
        self._waiting: list[_Waiting] = []
        self._writing = asyncio.Lock()

    async def enter(
        self,
        project: ProjectId,
        model: str,
        *,
        kind: Kind = Kind.INTERACTIVE,
        requests: int,
        usage: Usage,
        prices: Prices,
        labels: Labels | None = None,
        debit: Debit | None = None,
    ) -> None:
        """Write one interactive call; durable when this returns, and only then.

        The debit is taken off the project's rate in the same transaction.
        """
        sums = LabelSums()
        sums.count(labels, usage, requests=requests)
        entry = LedgerEntry.of(
            entry_id=random_id(ENTRY_ID_LENGTH),
            project=project,
            model=model,
            kind=kind,
            at=self._clock.now(),
            requests=requests,
            usage=usage,
            prices=prices,
            labels=sums,
        )
        waiting = _Waiting(entry, debit, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        async with self._writing:
            # Whoever came first has written all that waited for it.
            if not waiting.outcome.done():
                await self._write_waiting()
        if (failure := await waiting.outcome) is not None:
            raise failure

    async def totals(
        self,
        *,
        project: ProjectId | None = None,
        model: str | None = None,
        first_day: str | None = None,
        last_day: str | None = None,
    ) -> list[Total]:
        """Return totals by project, model, day and kind; days are included, None is any."""
        return await self._rows.totals(
            project=project, model=model, first_day=first_day, last_day=last_day
        )

    async def label_totals(
        self,
        *,
        project: ProjectId | None = None,
        model: str | None = None,
        first_day: str | None = None,
        last_day: str | None = None,
    ) -> list[LabelTotal]:
        """Return the totals of `totals` by the labels of the requests."""
        return await self._rows.label_totals(
            project=project, model=model, first_day=first_day, last_day=last_day
        )

    async def _write_waiting(self) -> None:
        group, self._waiting = self._waiting, []
        failure: Exception | None = Unavailable("The server is stopping.")
        try:
            debits = [waiting.debit for waiting in group if waiting.debit is not None]
            beside = partial(take_off, debits=debits, now=self._clock.now) if debits else None
            await self._rows.add([waiting.entry for waiting in group], beside)
            failure = None
        except Exception as error:  # noqa: BLE001  # each caller raises it
            failure = error
        finally:
            # Also when the writing call is cancelled: the others must not wait without end.
            for waiting in group:
                if not waiting.outcome.done():
                    waiting.outcome.set_result(failure)
