"""The ledger: one entry for what ended, however it ended, and it balances with the counts."""

from dataclasses import replace

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from support.fake_clock import NOON, FakeClock
from support.store.rows import PROJECT, a_job, keep_planned, lease, progress
from toplu.errors import ResourceExhausted
from toplu.job import Job, JobId, JobState, ProjectId
from toplu.labels import LabelSums
from toplu.money import UNITS, Kind, Prices, Usage
from toplu.store.rows.database import Database
from toplu.store.rows.jobs import JobRows
from toplu.store.rows.ledger import LedgerEntry, LedgerRows
from toplu.store.rows.projects import ProjectRows
from toplu.store.rows.schema import label_sums

ONE = JobId("one")
PRICES = Prices(currency="EUR", input_units=20, cached_units=6, output_units=40)


@pytest.fixture
def rows(database: Database) -> LedgerRows:
    return LedgerRows(database)


async def keep_half_done(jobs: JobRows, clock: FakeClock) -> Job:
    """Keep a job of four requests, of which two succeeded and one failed."""
    job = a_job(prices=PRICES)
    await keep_planned(jobs, job, 4)
    held = await lease(jobs, clock)
    assert held is not None
    assert await jobs.record([progress(held, 2, 1)], NOON) == []
    return job


@pytest.mark.parametrize(
    "state", [state for state in JobState if state.is_final], ids=lambda state: state.name
)
async def test_every_end_of_a_job_has_one_entry(
    jobs: JobRows, clock: FakeClock, rows: LedgerRows, state: JobState
) -> None:
    await keep_half_done(jobs, clock)
    assert await rows.totals() == []
    assert await jobs.move(ONE, state, NOON) is not None
    for target in JobState:
        assert await jobs.move(ONE, target, NOON) is None
    await jobs.mark_deleted(PROJECT, ONE, NOON)
    (total,) = await rows.totals()
    assert total.usage == Usage(prompt_tokens=20, output_tokens=2)
    assert (total.requests, total.kind, total.day) == (3, Kind.BATCH, "2026-11-22")
    assert (total.currency, total.cost_units) == ("EUR", (20 * 20 + 2 * 40) // 2)


async def test_a_job_that_is_deleted_while_it_runs_has_its_entry(
    jobs: JobRows, clock: FakeClock, rows: LedgerRows
) -> None:
    await keep_half_done(jobs, clock)
    await jobs.mark_deleted(PROJECT, ONE, NOON)
    await jobs.mark_deleted(PROJECT, ONE, NOON)
    await jobs.forget(ONE)
    (total,) = await rows.totals()
    assert total.usage == Usage(prompt_tokens=20, output_tokens=2)


async def test_what_is_reported_after_the_end_counts_for_nothing(
    jobs: JobRows, clock: FakeClock, rows: LedgerRows
) -> None:
    job = a_job()
    await keep_planned(jobs, job, 4)
    held = await lease(jobs, clock)
    assert held is not None
    await jobs.move(ONE, JobState.CANCELLED, NOON)
    assert await jobs.record([progress(held, 4)], NOON) == [held]
    (total,) = await rows.totals()
    assert (total.requests, total.usage) == (0, Usage())


async def test_totals_hold_more_than_a_column_could(rows: LedgerRows) -> None:
    large = 2**63 // UNITS * UNITS - 1  # one unit short of a whole
    await rows.add([entry(f"e{number}", cost_units=large) for number in range(5)])
    (total,) = await rows.totals()
    assert total.cost_units == 5 * large


async def test_totals_are_of_what_was_asked_for(rows: LedgerRows) -> None:
    await rows.add(
        [
            entry("a", day="2026-11-20"),
            entry("b", day="2026-11-21"),
            entry("c", day="2026-11-21", model="other"),
            entry("d", day="2026-11-22", project=ProjectId("team-b")),
        ]
    )
    assert len(await rows.totals()) == 4
    assert [total.day for total in await rows.totals(last_day="2026-11-20")] == ["2026-11-20"]
    assert [total.day for total in await rows.totals(first_day="2026-11-22")] == ["2026-11-22"]
    assert [total.model for total in await rows.totals(model="other")] == ["other"]
    assert [total.day for total in await rows.totals(project=ProjectId("team-b"))] == ["2026-11-22"]


async def test_entries_are_written_all_or_none(rows: LedgerRows) -> None:
    await rows.add([entry("a")])
    with pytest.raises(IntegrityError):
        await rows.add([entry("b"), entry("a")])
    (total,) = await rows.totals()
    assert total.requests == 1


async def keep_labelled(jobs: JobRows, clock: FakeClock, tokens: int) -> None:
    """Record for the leased shard that requests with a label used so many tokens."""
    sums = LabelSums()
    sums.count({"team": "a"}, Usage(prompt_tokens=tokens))
    held = await lease(jobs, clock)
    assert held is not None
    for labels in (LabelSums(), sums):  # the later one is in the place of the earlier
        more = replace(progress(held, 2, 1), labels=labels.encode())
        assert await jobs.record([more], NOON) == []


@pytest.mark.parametrize("end", [JobState.SUCCEEDED, JobState.CANCELLED, "deleted"])
async def test_labels_are_summed_beside_the_entry_of_a_job(
    jobs: JobRows, clock: FakeClock, rows: LedgerRows, end: str
) -> None:
    await keep_planned(jobs, a_job(prices=PRICES), 4)
    await keep_labelled(jobs, clock, 7)
    assert await rows.label_totals() == []
    if end == "deleted":
        await jobs.mark_deleted(PROJECT, ONE, NOON)
        await jobs.mark_deleted(PROJECT, ONE, NOON)
    else:
        await jobs.move(ONE, JobState(end), NOON)
        await jobs.mark_deleted(PROJECT, ONE, NOON)
    await jobs.forget(ONE)
    (found,) = await rows.label_totals(project=PROJECT, model="echo", first_day="2026-11-22")
    assert (found.key, found.value) == ("team", "a")
    assert (found.total.requests, found.total.usage) == (1, Usage(prompt_tokens=7))
    assert (found.total.currency, found.total.cost_units) == ("EUR", 7 * 20 // 2)
    assert found.total.kind is Kind.BATCH
    (total,) = await rows.totals()
    assert total.requests == 3
    assert await rows.label_totals(project=ProjectId("other")) == []
    assert await rows.label_totals(last_day="2026-11-21") == []


async def test_a_job_that_is_forgotten_unfinished_leaves_no_sums(
    jobs: JobRows, clock: FakeClock, database: Database
) -> None:
    await keep_planned(jobs, a_job(), 4)
    await keep_labelled(jobs, clock, 7)
    await jobs.mark_deleted(PROJECT, ONE, NOON)
    await jobs.forget(ONE)
    assert await database.read(lambda c: c.scalars(select(label_sums.c.job)).all()) == []


@pytest.mark.parametrize("end", ["SUCCEEDED", "CANCELLED", "EXPIRED", "FAILED", "deleted"])
async def test_enqueued_tokens_come_back_at_the_end_of_a_job(
    jobs: JobRows, database: Database, end: str
) -> None:
    projects = ProjectRows(database)
    job = a_job(tokens_estimate=60)
    await jobs.create(job, unfinished_max=9, enqueued_tokens_max=100)
    another = a_job("two", minutes=1, tokens_estimate=50)
    with pytest.raises(ResourceExhausted):
        await jobs.create(another, unfinished_max=9, enqueued_tokens_max=100)
    # Another model and another project have room of their own.
    elsewhere = a_job("three", engine="other", tokens_estimate=100)
    await jobs.create(elsewhere, unfinished_max=9, enqueued_tokens_max=100)
    theirs = a_job("four", project=ProjectId("team-b"), tokens_estimate=100)
    await jobs.create(theirs, unfinished_max=9, enqueued_tokens_max=100)
    assert (await projects.holdings(PROJECT)).enqueued_tokens == {"echo": 60, "other": 100}
    if end == "deleted":
        await jobs.mark_deleted(PROJECT, ONE, NOON)
    else:
        await jobs.move(ONE, JobState.RUNNING, NOON)
        await jobs.move(ONE, JobState(end), NOON)
    assert (await projects.holdings(PROJECT)).enqueued_tokens == {"other": 100}
    await jobs.create(another, unfinished_max=9, enqueued_tokens_max=100)


def entry(name: str, **changes: object) -> LedgerEntry:
    values: dict[str, object] = {
        "id": name,
        "project": PROJECT,
        "model": "echo",
        "kind": Kind.INTERACTIVE,
        "day": "2026-11-22",
        "requests": 1,
        "usage": Usage(prompt_tokens=1),
        "currency": "USD",
        "cost_units": 1,
    }
    return LedgerEntry(**values | changes)
