"""Meters of several processes over one database admit together what one would."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from support.fake_clock import FakeClock
from support.store.migrated import open_migrated
from toplu.errors import ResourceExhausted
from toplu.job import ProjectId
from toplu.money import Usage
from toplu.projects.ledger import Ledger
from toplu.projects.meter import Meter
from toplu.projects.quotas import Quotas
from toplu.projects.terms_book import TermsBook
from toplu.settings.server import ModelSettings, Settings, TierSettings
from toplu.store.rows.database import Database
from toplu.store.rows.ledger import LedgerRows
from toplu.store.rows.projects import ProjectRows
from toplu.store.rows.rates import RateRows
from toplu.store.rows.spent import SpentRows

PROJECT = ProjectId("team-a")
MODEL = ModelSettings(name="echo", engine="echo")
USED = Usage(prompt_tokens=30, output_tokens=20)


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[list[Database]]:
    databases = [await open_migrated(tmp_path / "toplu.db") for _ in range(2)]
    yield databases
    for database in databases:
        await database.close()


def meter_of(database: Database, clock: FakeClock, tier: TierSettings) -> Meter:
    settings = Settings(tiers=(tier,))
    quotas = Quotas(settings=settings, clock=clock, rows=ProjectRows(database))
    return Meter(
        settings=settings,
        clock=clock,
        quotas=quotas,
        terms=TermsBook(clock=clock, quotas=quotas, rows=SpentRows(database)),
        ledger=Ledger(clock=clock, rows=LedgerRows(database)),
        rates=RateRows(database),
    )


async def admitted_by(meters: list[Meter]) -> int:
    """Return how many calls end before both have refused one; each waits for its predecessor."""
    count = 0

    async def call(meter: Meter) -> None:
        nonlocal count
        while True:
            try:
                await meter.admit(PROJECT, MODEL)
            except ResourceExhausted:
                return
            await meter.charge(PROJECT, MODEL, USED)
            count += 1

    await asyncio.gather(*(call(meter) for meter in meters))
    return count


async def test_two_meters_admit_the_requests_of_one(both: list[Database]) -> None:
    clock, tier = FakeClock(), TierSettings(name="small", requests_per_minute=1300)  # portions of 2
    meters = [meter_of(database, clock, tier) for database in both]
    assert abs(await admitted_by(meters) - 1300) <= 2 * 2
    clock.advance(timedelta(seconds=6))
    assert abs(await admitted_by(meters) - 130) <= 2 * 2


@pytest.mark.parametrize("portion", [10, 60])  # a call takes 50
async def test_two_meters_admit_the_tokens_of_one(both: list[Database], portion: int) -> None:
    tokens = portion * 600
    clock, tier = FakeClock(), TierSettings(name="small", tokens_per_minute=tokens)
    meters = [meter_of(database, clock, tier) for database in both]
    # The last call of each may take more than is left, as with one.
    assert abs(await admitted_by(meters) * 50 - tokens) <= 2 * (portion + 50)
    clock.advance(timedelta(seconds=6))
    assert abs(await admitted_by(meters) * 50 - tokens / 10) <= 2 * (portion + 50)


async def test_the_debt_that_one_makes_all_wait_out(both: list[Database]) -> None:
    clock, tier = FakeClock(), TierSettings(name="small", tokens_per_minute=50)
    first, second = (meter_of(database, clock, tier) for database in both)
    await first.admit(PROJECT, MODEL)
    await first.charge(PROJECT, MODEL, Usage(prompt_tokens=100))
    for meter in (first, second):
        with pytest.raises(ResourceExhausted) as refused:
            await meter.admit(PROJECT, MODEL)
        assert refused.value.retry_seconds == 62
    clock.advance(timedelta(seconds=62))
    await second.admit(PROJECT, MODEL)


async def test_a_project_without_rates_costs_no_transaction(both: list[Database]) -> None:
    (database, _), clock = both, FakeClock()
    meter = meter_of(database, clock, TierSettings(name="free"))
    await meter.admit(PROJECT, MODEL)
    assert database.commits == 0
    await meter.charge(PROJECT, MODEL, USED)
    assert database.commits == 1  # the ledger's


async def test_tokens_are_taken_off_in_the_transaction_of_the_entry(both: list[Database]) -> None:
    (database, _), clock = both, FakeClock()
    meter = meter_of(database, clock, TierSettings(name="small", tokens_per_minute=6000))
    await meter.admit(PROJECT, MODEL)
    before = database.commits
    await meter.charge(PROJECT, MODEL, USED)
    assert database.commits - before == 1
