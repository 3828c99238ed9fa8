"""A batch of several jobs is made, found, moved and deleted as one."""

from datetime import timedelta

import pytest

from support.store.rows import NOON, PROJECT, a_job, some_shards
from toplu.errors import ResourceExhausted
from toplu.job import JobId, JobState
from toplu.store.rows.database import Database
from toplu.store.rows.jobs import JobRows, NewPart

ONE, TWO = JobId("one"), JobId("two")
LATER = NOON + timedelta(hours=1)


@pytest.fixture
async def jobs(database: Database) -> JobRows:
    """The room, with a batch of two jobs."""
    jobs = JobRows(database)
    await create(jobs, "one", "two")
    return jobs


async def create(jobs: JobRows, name: str, *others: str, unfinished_max: int = 9) -> None:
    parts = [
        NewPart(
            job=a_job(other, part_of=name, engine=f"engine-{other}", planned=True),
            enqueued_tokens_max=None,
            cut=some_shards(other, 1),
        )
        for other in others
    ]
    await jobs.create(a_job(name), unfinished_max=unfinished_max, parts=parts)


async def test_it_is_found_by_its_first_job_and_listed_once(jobs: JobRows) -> None:
    await create(jobs, "alone")
    found = await jobs.batches(PROJECT, [ONE, TWO, JobId("alone"), JobId("nobody")])
    assert {name: [job.id for job in batch] for name, batch in found.items()} == {
        "one": ["one", "two"],
        "alone": ["alone"],
    }
    assert {job.id for job in await jobs.page(PROJECT, 9)} == {"one", "alone"}
    assert [shard.job for shard in await jobs.shards(TWO)] == ["two"]


async def test_it_counts_as_one_unfinished_batch_until_its_last_job_ends(jobs: JobRows) -> None:
    await create(jobs, "second", "its-part", unfinished_max=2)
    await jobs.move(ONE, JobState.CANCELLED, NOON)
    with pytest.raises(ResourceExhausted):
        await create(jobs, "third", unfinished_max=2)
    await jobs.move(TWO, JobState.CANCELLED, NOON)
    await create(jobs, "third", unfinished_max=2)


async def test_one_part_too_large_makes_none(jobs: JobRows) -> None:
    large = a_job("large", part_of="new", tokens_estimate=5)
    part = NewPart(job=large, enqueued_tokens_max=4, cut=())
    with pytest.raises(ResourceExhausted):
        await jobs.create(a_job("new"), unfinished_max=9, parts=[part])
    assert await jobs.known() == {"one", "two"}


async def test_it_moves_as_one_and_what_has_ended_stays(jobs: JobRows) -> None:
    await jobs.move(TWO, JobState.FAILED, NOON)
    moved = await jobs.move_batch(ONE, JobState.CANCELLED, LATER)
    assert [job.id for job in moved] == ["one"]
    states = [job.state for job in (await jobs.batches(PROJECT, [ONE]))[ONE]]
    assert states == [JobState.CANCELLED, JobState.FAILED]


async def test_it_is_kept_until_its_last_job_has_been_kept(jobs: JobRows) -> None:
    await jobs.move(ONE, JobState.CANCELLED, NOON)
    assert await jobs.ended_before(LATER) == []
    await jobs.move(TWO, JobState.CANCELLED, LATER)
    assert await jobs.ended_before(LATER) == []
    ended = await jobs.ended_before(LATER + timedelta(seconds=1))
    assert [job.id for job in ended] == ["one"]


async def test_it_is_deleted_as_one(jobs: JobRows) -> None:
    deleted = await jobs.mark_deleted(PROJECT, ONE, NOON)
    assert {job.id for job in deleted} == {"one", "two"}
    assert set(await jobs.deleted()) == {"one", "two"}
    assert await jobs.batches(PROJECT, [ONE]) == {}
    for gone in (ONE, TWO):
        await jobs.forget(gone)
    assert await jobs.known() == set()
