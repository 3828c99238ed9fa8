"""Spending grows with counts and calls, whichever process writes them."""

from datetime import timedelta

import pytest

from support.fake_clock import NOON
from toplu.job import ProjectId
from toplu.money import UNITS, Kind, Prices, Usage
from toplu.store.rows.database import Database
from toplu.store.rows.ledger import LedgerEntry, LedgerRows
from toplu.store.rows.spending import add_spending, day_of
from toplu.store.rows.spent import SpentRows

PROJECT = ProjectId("team-a")
OTHER = ProjectId("team-b")
DAY = timedelta(days=1)
PRICES = Prices(input_units=100, output_units=200)


async def spend(database: Database, *costs: tuple[ProjectId, str, int]) -> None:
    await database.write(lambda c: add_spending(c, costs))


async def test_a_day_begins_with_nothing(database: Database) -> None:
    rows = SpentRows(database)
    assert (await rows.of(PROJECT, NOON)).today == 0
    await spend(database, (PROJECT, day_of(NOON), 3), (OTHER, day_of(NOON), 5))
    await spend(database, (PROJECT, day_of(NOON), 4), (OTHER, day_of(NOON), 0))
    assert (await rows.of(PROJECT, NOON)).today == 7
    assert (await rows.of(OTHER, NOON)).today == 5
    assert (await rows.of(PROJECT, NOON + DAY)).today == 0
    await spend(database, (PROJECT, day_of(NOON + DAY), 1))
    assert (await rows.of(PROJECT, NOON + DAY)).today == 1


async def test_a_clock_that_goes_back_opens_no_day_again(database: Database) -> None:
    rows = SpentRows(database)
    await spend(database, (PROJECT, day_of(NOON), 2))
    await spend(database, (PROJECT, day_of(NOON - DAY), 3))
    assert (await rows.of(PROJECT, NOON)).today == 5
    assert (await rows.of(PROJECT, NOON - DAY)).today == 5


async def test_sums_do_not_outgrow_their_columns(database: Database) -> None:
    large = 9 * 10**8 * UNITS + UNITS - 1
    for _ in range(3):
        await spend(database, (PROJECT, day_of(NOON), large))
    assert (await SpentRows(database).of(PROJECT, NOON)).today == 3 * large


@pytest.mark.parametrize(("kind", "cost"), [(Kind.INTERACTIVE, 300), (Kind.FLEX, 150)])
async def test_a_call_adds_its_price(database: Database, kind: Kind, cost: int) -> None:
    entry = LedgerEntry.of(
        entry_id="one",
        project=PROJECT,
        model="m",
        kind=kind,
        at=NOON,
        requests=1,
        usage=Usage(prompt_tokens=1, output_tokens=1),
        prices=PRICES,
    )
    await LedgerRows(database).add([entry])
    assert (await SpentRows(database).of(PROJECT, NOON)).today == cost
