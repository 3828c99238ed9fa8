"""Batches are leased and go on within the hours and the money of their projects."""

from datetime import timedelta
from typing import Any

import pytest

from support.batch.batch_world import BatchWorld, line_of
from toplu.batch.schedule.scheduler import Scheduler
from toplu.job import JobId, Lease, ProjectId
from toplu.money import Prices, Usage
from toplu.projects.quotas import Quotas
from toplu.projects.terms_book import TermsBook
from toplu.settings.server import Settings, TierSettings
from toplu.store.rows.jobs import Progress
from toplu.store.rows.projects import ProjectRows
from toplu.store.rows.spent import SpentRows

CAPPED, FREE = ProjectId("capped"), ProjectId("free")
HOUR = timedelta(hours=1)
# A million output tokens of a batch cost one: a token a millionth of it.
PRICES = Prices(output_units=2_000_000)


def book_of(world: BatchWorld, **tier: Any) -> TermsBook:
    settings = Settings(tiers=(TierSettings(name="free"), TierSettings(name="capped", **tier)))
    quotas = Quotas(settings=settings, clock=world.clock, rows=ProjectRows(world.database))
    return TermsBook(clock=world.clock, quotas=quotas, rows=SpentRows(world.database))


def scheduler_of(world: BatchWorld, book: TermsBook, owner: str = "server-1") -> Scheduler:
    return Scheduler(
        settings=world.settings, clock=world.clock, jobs=world.jobs, owner=owner, terms=book
    )


@pytest.fixture(autouse=True)
async def capped(world: BatchWorld) -> None:
    await ProjectRows(world.database).set_tier(CAPPED, "capped", world.clock.now())


async def keep(world: BatchWorld, name: str, **changes: object) -> None:
    lines = [line_of(index) for index in range(12)]
    await world.keep_job(name, lines, prices=PRICES, **changes)
    await world.planner().step()


async def finish(world: BatchWorld, held: Lease, tokens: int) -> None:
    """Record that the shard was answered, with so many tokens in all."""
    done = Progress(
        lease=held,
        segments=(),
        succeeded=held.shard.count,
        failed=0,
        usage=Usage(output_tokens=tokens),
    )
    assert await world.jobs.record([done], world.clock.now()) == []


async def lease(scheduler: Scheduler, lane: int = 0) -> Lease:
    held = await scheduler.lease_shard("echo", lane)
    assert held is not None
    return held


async def test_nothing_is_leased_outside_of_the_hours(world: BatchWorld) -> None:
    await keep(world, "night", project=CAPPED)
    scheduler = scheduler_of(world, book_of(world, run="22:00-06:00"))
    assert await scheduler.lease_shard("echo", 0) is None
    await keep(world, "day", project=FREE)
    assert (await lease(scheduler)).job.id == "day"
    world.clock.advance(10 * HOUR)
    held = await lease(scheduler, 1)
    assert held.job.id == "night"
    assert not scheduler.is_held(held.job)
    assert await scheduler.keeps_turn(held)
    world.clock.advance(8 * HOUR)
    assert scheduler.is_held(held.job), "at once, whatever is left of the quantum"
    assert not await scheduler.keeps_turn(held)


async def test_a_day_has_its_budget_and_the_next_one_another(world: BatchWorld) -> None:
    await keep(world, "one", project=CAPPED)
    scheduler = scheduler_of(world, book_of(world, spend_per_day="0.001"))
    await finish(world, await lease(scheduler), tokens=999)
    held = await lease(scheduler)
    await finish(world, held, tokens=1)
    assert await scheduler.lease_shard("echo", 0) is None
    assert scheduler.is_held(held.job)
    assert not await scheduler.keeps_turn(held)
    world.clock.advance(12 * HOUR)
    assert (await lease(scheduler)).shard.number == 2


async def test_answers_that_no_row_has_count_at_once(world: BatchWorld) -> None:
    await keep(world, "one", project=CAPPED)
    book = book_of(world, spend_per_day="0.001")
    scheduler = scheduler_of(world, book)
    held = await lease(scheduler)
    cost = book.note(held.job, Usage(output_tokens=1000))
    assert scheduler.is_held(held.job)
    book.take_back(held.job, cost)
    assert not scheduler.is_held(held.job)


async def test_what_another_worker_spent_counts_with_the_next_look(world: BatchWorld) -> None:
    await keep(world, "one", project=CAPPED)
    here = scheduler_of(world, book_of(world, spend_per_day="0.001"))
    book = book_of(world, spend_per_day="0.001")
    there = scheduler_of(world, book, "server-2")
    held, other = await lease(here), await lease(there)
    await finish(world, held, tokens=1000)
    assert not there.is_held(other.job)
    await book.refresh(CAPPED)
    assert there.is_held(other.job)


async def test_a_batch_that_costs_too_much_does_not_hold_up_another(world: BatchWorld) -> None:
    await keep(world, "dear", project=CAPPED)
    await keep(world, "cheap", project=CAPPED)
    book = book_of(world, spend_per_batch="0.001")
    scheduler = scheduler_of(world, book)
    held = await lease(scheduler)
    assert held.job.id == "dear"
    await finish(world, held, tokens=1000)
    await book.refresh(CAPPED)
    assert scheduler.is_held(held.job)
    assert (await lease(scheduler)).job.id == "cheap"
    world.clock.advance(24 * HOUR)
    assert (await lease(scheduler)).job.id == "cheap"


async def test_the_parts_of_a_batch_share_its_cap(world: BatchWorld) -> None:
    await keep(world, "first", project=CAPPED)
    await keep(world, "second", project=CAPPED, part_of=JobId("first"))
    scheduler = scheduler_of(world, book_of(world, spend_per_batch="0.001"))
    await finish(world, await lease(scheduler), tokens=1000)
    assert await scheduler.lease_shard("echo", 0) is None


async def test_another_tier_lets_a_batch_go_on(world: BatchWorld) -> None:
    await keep(world, "night", project=CAPPED)
    scheduler = scheduler_of(world, book_of(world, run="22:00-06:00"))
    assert await scheduler.lease_shard("echo", 0) is None
    await ProjectRows(world.database).set_tier(CAPPED, "free", world.clock.now())
    world.clock.advance(timedelta(seconds=3))
    held = await lease(scheduler)
    assert not scheduler.is_held(held.job)
