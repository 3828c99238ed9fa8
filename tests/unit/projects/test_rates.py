"""Rates: what a minute allows, given back steadily, whatever it was used for and by whom."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from support.fake_clock import FakeClock
from support.store.migrated import open_migrated
from toplu.job import ProjectId
from toplu.projects.rates import Ask, Bucket, Rates
from toplu.store.rows.database import Database
from toplu.store.rows.rates import RateRows, rates, take_off

PROJECT = ProjectId("team-a")
SECOND = timedelta(seconds=1)


def bucket_of(per_minute: int, *, project: str = PROJECT) -> Bucket:
    return Bucket(ProjectId(project), "echo", "requests", per_minute)


class Process:
    """One process of those that share the buckets."""

    def __init__(self, database: Database, clock: FakeClock, *, hands_max: int = 100) -> None:
        self.database = database
        self.clock = clock
        self.rates = Rates(clock=clock, rows=RateRows(database), hands_max=hands_max)

    async def take(self, bucket: Bucket, amount: int = 1) -> int:
        """Return in how many seconds there is enough; 0: it is taken."""
        needed = min(amount, bucket.per_minute)
        refusal = await self.rates.admit([Ask(bucket, needed, amount)])
        return 0 if refusal is None else refusal.seconds

    async def use(self, bucket: Bucket, amount: int) -> None:
        debit = self.rates.use(bucket, amount)
        if debit is not None:
            await self.database.write(lambda c: take_off(c, [debit], self.clock.now))

    async def rows(self) -> int:
        count = select(func.count()).select_from(rates)
        return await self.database.read(lambda c: c.scalar(count)) or 0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def both(tmp_path: Path, clock: FakeClock) -> AsyncIterator[list[Process]]:
    """Two processes, each with a connection of its own."""
    databases = [await open_migrated(tmp_path / "toplu.db") for _ in range(2)]
    yield [Process(database, clock) for database in databases]
    for database in databases:
        await database.close()


@pytest.fixture
def process(both: list[Process]) -> Process:
    return both[0]


async def test_a_minutes_worth_may_be_taken_at_once(process: Process) -> None:
    assert [await process.take(bucket_of(5)) for _ in range(6)] == [0] * 5 + [12]


async def test_the_wait_that_is_named_is_enough(process: Process) -> None:
    assert await process.take(bucket_of(7), 7) == 0
    wait = await process.take(bucket_of(7))
    assert wait > 0
    process.clock.advance(wait * SECOND)
    assert await process.take(bucket_of(7)) == 0


async def test_a_debt_is_waited_out(both: list[Process]) -> None:
    await both[0].use(bucket_of(60), 180)  # two minutes more than there is
    for process in both:
        assert await process.take(bucket_of(60)) == 121
    process.clock.advance(120 * SECOND)
    for process in both:
        assert await process.take(bucket_of(60)) == 1


async def test_an_idle_bucket_never_holds_more_than_a_minute(process: Process) -> None:
    assert await process.take(bucket_of(5), 5) == 0
    process.clock.advance(timedelta(days=1))
    assert await process.take(bucket_of(5), 5) == 0
    assert await process.take(bucket_of(5)) == 12


async def test_buckets_are_apart(process: Process) -> None:
    for name in ("team-a", "team-b"):
        assert await process.take(bucket_of(1, project=name)) == 0


async def test_a_limit_that_changes_counts_at_once(both: list[Process]) -> None:
    assert await both[0].take(bucket_of(1)) == 0
    assert await both[0].take(bucket_of(10)) == 0
    # Who does not know of the change refills nothing.
    assert await both[1].take(bucket_of(1)) == 60
    assert [await both[0].take(bucket_of(10), 9) for _ in range(2)] == [0, 54]


async def test_a_clock_that_goes_back_fills_nothing(both: list[Process]) -> None:
    assert await both[0].take(bucket_of(60), 60) == 0
    both[0].clock.advance(-3600 * SECOND)
    for process in both:
        assert await process.take(bucket_of(60)) == 1
    process.clock.advance(SECOND)
    assert [await process.take(bucket_of(60)) for process in both] == [0, 1]


async def test_memory_is_bounded(process: Process) -> None:
    few = Process(process.database, process.clock, hands_max=10)
    for number in range(50):
        await few.take(bucket_of(5, project=str(number)))
    assert len(few.rates) == 10


async def test_full_buckets_have_no_rows(both: list[Process]) -> None:
    for number in range(5):
        await both[0].take(bucket_of(60, project=str(number)))
    assert await both[0].rows() == 5
    both[0].clock.advance(SECOND)
    assert await both[1].take(bucket_of(60)) == 0
    assert await both[1].rows() == 1


async def test_a_call_takes_all_that_it_asks_for_or_nothing(both: list[Process]) -> None:
    small, large = bucket_of(1), bucket_of(5)
    asks = [Ask(large, 1, 1), Ask(small, 1, 1)]
    assert await both[0].rates.admit(asks) is None
    for process in both:  # the one knows it, the other finds it out
        refusal = await process.rates.admit(asks)
        assert refusal is not None
        assert (refusal.bucket, refusal.seconds) == (small, 60)
    assert await process.take(large, 4) == 0


async def test_a_portion_serves_many_calls(process: Process) -> None:
    large = bucket_of(6000)  # ten in a tenth of a second
    await asyncio.gather(*(process.take(large) for _ in range(100)))
    assert process.database.commits == 10


async def test_no_process_keeps_more_than_a_portion_from_others(both: list[Process]) -> None:
    bucket = bucket_of(6000)
    assert await both[0].take(bucket) == 0
    assert await both[1].take(bucket, 6000 - bucket.portion) == 0
    assert await both[1].take(bucket) > 0


async def test_what_is_known_to_be_used_up_is_refused_without_a_transaction(
    both: list[Process],
) -> None:
    assert await both[0].take(bucket_of(1)) == 0
    for process in both * 5:
        assert await process.take(bucket_of(1)) == 60
    assert [process.database.commits for process in both] == [1, 1]


@pytest.mark.parametrize("per_minute", [5, 1300, 6000])
async def test_two_processes_admit_what_one_would(both: list[Process], per_minute: int) -> None:
    bucket = bucket_of(per_minute)
    admitted = 0

    async def ask(process: Process) -> None:
        nonlocal admitted
        while await process.take(bucket) == 0:
            admitted += 1

    for seconds in (0, 30, 90):
        both[0].clock.advance(seconds * SECOND)
        await asyncio.gather(*(ask(process) for process in both for _ in range(4)))
    allowed = per_minute * 2.5
    assert allowed - 2 * bucket.portion <= admitted <= allowed + 2 * bucket.portion


@settings(deadline=None, max_examples=50)  # each example has a database of its own
@given(
    st.integers(1, 5000),
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 90), st.integers(1, 50)),
        min_size=1,
        max_size=30,
    ),
)
def test_never_more_is_admitted_than_a_minutes_worth_and_what_time_gave(
    per_minute: int, asked: list[tuple[int, int, int]]
) -> None:
    bucket, clock = bucket_of(per_minute), FakeClock()

    async def admit() -> int:
        taken = 0
        with TemporaryDirectory() as folder:
            database = await open_migrated(Path(folder) / "toplu.db")
            both = [Process(database, clock) for _ in range(2)]
            for which, wait, amount in asked:
                clock.advance(wait * SECOND)
                if amount <= per_minute and await both[which].take(bucket, amount) == 0:
                    taken += amount
            await database.close()
        return taken

    taken = asyncio.run(admit())
    seconds = sum(wait for _, wait, _ in asked)
    assert taken <= per_minute + per_minute * seconds / 60 + 2 * bucket.portion
