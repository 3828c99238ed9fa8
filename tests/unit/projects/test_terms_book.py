"""An answer of this process is counted once, before rows have it and after."""

import asyncio
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from unittest import mock

import pytest

from support.fake_clock import FakeClock
from support.store.migrated import open_migrated
from support.store.rows import PROJECT, a_job
from toplu.job import JobId, ProjectId
from toplu.money import Prices, Usage
from toplu.projects.quotas import Quotas
from toplu.projects.terms import NO_TERMS
from toplu.projects.terms_book import TermsBook
from toplu.settings.server import Settings, TierSettings
from toplu.store.rows.projects import ProjectRows
from toplu.store.rows.spent import Spent, SpentRows

JOB = a_job(prices=Prices(output_units=2))
BATCH = JobId("one")


class Rows:
    """Rows that are answered when the test lets them be."""

    def __init__(self) -> None:
        self.spent = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def of(self, _project: ProjectId, _now: datetime, *, by_batch: bool) -> Spent:
        assert by_batch
        found = Spent(today=self.spent, batches={BATCH: self.spent})
        await self.may_answer.wait()
        return found


@pytest.fixture
async def book(tmp_path: Path):
    database = await open_migrated(tmp_path / "toplu.db")
    settings = Settings(tiers=(TierSettings(name="capped", spend_per_batch="1"),))
    clock = FakeClock()
    quotas = Quotas(settings=settings, clock=clock, rows=ProjectRows(database))
    yield TermsBook(clock=clock, quotas=quotas, rows=mock.Mock(SpentRows, wraps=Rows()))
    await database.close()


def known(book: TermsBook) -> tuple[int, int]:
    spent = book.known(PROJECT).spent
    return spent.today, spent.batches.get(BATCH, 0)


async def test_an_answer_counts_before_and_after_a_row_has_it(book: TermsBook) -> None:
    rows = book._rows._mock_wraps
    await book.of(PROJECT)
    assert book.note(JOB, Usage(output_tokens=7)) == 7
    assert known(book) == (7, 7)
    rows.spent = 7
    book.note_recorded(JOB, 7)
    assert known(book) == (7, 7)
    await book.refresh(PROJECT)
    assert known(book) == (7, 7)
    book.take_back(JOB, book.note(JOB, Usage(output_tokens=1)))
    assert known(book) == (7, 7)


async def test_a_look_that_was_overtaken_forgets_nothing(book: TermsBook) -> None:
    rows = book._rows._mock_wraps
    await book.of(PROJECT)
    cost = book.note(JOB, Usage(output_tokens=7))
    rows.may_answer.clear()
    async with asyncio.TaskGroup() as group:
        group.create_task(book.refresh(PROJECT))
        await asyncio.sleep(0)
        book.note_recorded(JOB, cost)  # after the look has read the row
        rows.spent = 7
        rows.may_answer.set()
    assert known(book) == (7, 7)
    await book.refresh(PROJECT)
    assert known(book) == (7, 7)


async def test_what_nobody_caps_is_not_counted(book: TermsBook) -> None:
    other = replace(JOB, project=ProjectId("other"))
    assert book.note(other, Usage(output_tokens=7)) == 0
    assert book.known(other.project) is NO_TERMS
    book.note_recorded(other, 0)
    await book.refresh(other.project)
