"""The ledger is durable when it returns, and nobody waits without end."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.fake_clock import FakeClock
from support.store.migrated import open_migrated
from toplu.job import ProjectId
from toplu.money import FREE, Usage
from toplu.projects.ledger import Ledger
from toplu.projects.quotas import Quotas
from toplu.settings.server import Settings, TierSettings
from toplu.store.rows.database import Database
from toplu.store.rows.ledger import LedgerRows
from toplu.store.rows.projects import ProjectRows

PROJECT = ProjectId("team-a")
USED = Usage(prompt_tokens=3, output_tokens=2)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await open_migrated(tmp_path / "toplu.db")
    yield database
    await database.close()


def ledger_of(database: Database) -> Ledger:
    return Ledger(clock=FakeClock(), rows=LedgerRows(database))


async def enter(ledger: Ledger) -> None:
    await ledger.enter(PROJECT, "echo", requests=1, usage=USED, prices=FREE)


async def test_calls_that_end_together_are_all_entered(database: Database) -> None:
    ledger = ledger_of(database)
    async with asyncio.TaskGroup() as calls:
        for _ in range(100):
            calls.create_task(enter(ledger))
    (total,) = await ledger.totals()
    assert (total.requests, total.usage) == (100, Usage(prompt_tokens=300, output_tokens=200))


async def test_a_call_that_could_not_be_entered_fails_and_the_next_one_does_not(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = ledger_of(database)

    async def fail(_self: LedgerRows, *_given: object) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as broken:
        broken.setattr(LedgerRows, "add", fail)
        outcomes = await asyncio.gather(*(enter(ledger) for _ in range(3)), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [OSError] * 3
    await enter(ledger)
    (total,) = await ledger.totals()
    assert total.requests == 1


async def test_a_writer_that_is_cancelled_leaves_nobody_waiting(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = ledger_of(database)
    writing = asyncio.Event()

    async def hang(_self: LedgerRows, *_given: object) -> None:
        writing.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as slow:
        slow.setattr(LedgerRows, "add", hang)
        async with asyncio.TaskGroup() as calls:
            first = calls.create_task(enter(ledger))
            await writing.wait()
            first.cancel()
    await enter(ledger)
    (total,) = await ledger.totals()
    assert total.requests == 1


async def test_a_tier_that_is_no_more_means_the_first(database: Database) -> None:
    rows = ProjectRows(database)
    two = Settings(tiers=(TierSettings(name="small"), TierSettings(name="large")))
    before = Quotas(settings=two, clock=FakeClock(), rows=rows)
    assert (await before.tier_of(PROJECT)).name == "small"
    await before.set_tier(PROJECT, "large")
    assert (await before.tier_of(PROJECT)).name == "large"
    one = Settings(tiers=(TierSettings(name="small"),))
    after = Quotas(settings=one, clock=FakeClock(), rows=rows)
    assert (await after.tier_of(PROJECT)).name == "small"


async def test_a_tier_without_limits_of_its_own_has_those_of_the_settings(
    database: Database,
) -> None:
    settings = Settings(concurrent_batches_max=7, project_bytes_max=70)
    quotas = Quotas(settings=settings, clock=FakeClock(), rows=ProjectRows(database))
    assert await quotas.concurrent_batches_max(PROJECT) == 7
    assert await quotas.storage_bytes_max(PROJECT) == 70
