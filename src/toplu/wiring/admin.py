"""Builds what an operator's commands need, whether or not a server runs on the data folder."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from toplu.clock import SystemClock
from toplu.projects.keys import Keys
from toplu.projects.ledger import Ledger
from toplu.projects.quotas import Quotas
from toplu.settings.server import Settings
from toplu.wiring.storage import open_beside_a_server, open_folder


@contextlib.asynccontextmanager
async def open_keys(settings: Settings) -> AsyncIterator[Keys]:
    """Yield the keys of a data folder."""
    async with open_beside_a_server(open_folder(settings)) as storage:
        yield Keys(clock=SystemClock(), issued=storage.keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """The parts that the operator reads and changes of projects."""

    ledger: Ledger
    quotas: Quotas


@contextlib.asynccontextmanager
async def open_books(settings: Settings) -> AsyncIterator[Books]:
    """Yield the books of a data folder."""
    async with open_beside_a_server(open_folder(settings)) as storage:
        clock = SystemClock()
        yield Books(
            ledger=Ledger(clock=clock, rows=storage.ledger),
            quotas=Quotas(settings=settings, clock=clock, rows=storage.projects),
        )
