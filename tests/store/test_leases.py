"""Leases: one holder at a time, and nobody but the holder of the latest one writes."""

from dataclasses import replace
from datetime import timedelta

import pytest

from support.fake_clock import NOON, FakeClock
from support.store.rows import LEASE, PROJECT, a_job, end_others, keep_planned, lease, progress
from toplu.job import JobId, JobState, RequestCounts
from toplu.store.blobs.result_log import Segment
from toplu.store.rows import leases
from toplu.store.rows.jobs import JobRows

ONE = JobId("one")


async def counts(jobs: JobRows) -> RequestCounts:
    job = await jobs.find(PROJECT, ONE)
    assert job is not None
    return job.counts


async def test_shards_are_leased_in_order_of_jobs_and_then_of_input(
    jobs: JobRows, clock: FakeClock
) -> None:
    await keep_planned(jobs, a_job("young", minutes=1), 1)
    await keep_planned(jobs, a_job("old"), 1, 1)
    await keep_planned(jobs, a_job("other", engine="llama"), 1)
    await jobs.create(a_job("unplanned"), unfinished_max=9)
    taken = [await lease(jobs, clock) for _ in range(4)]
    assert [(one.job.id, one.shard.number) for one in taken if one] == [
        ("old", 0),
        ("old", 1),
        ("young", 0),
    ]
    assert taken[-1] is None


async def test_the_first_lease_sets_the_job_running(jobs: JobRows, clock: FakeClock) -> None:
    await keep_planned(jobs, a_job(), 1, 1)
    clock.advance(timedelta(minutes=3))
    held = await lease(jobs, clock)
    assert held is not None
    assert held.job == await jobs.find(PROJECT, ONE)
    assert (held.job.state, held.job.updated) == (JobState.RUNNING, clock.now())
    assert (held.shard.epoch, held.owner) == (1, "server-1")
    assert held.expires == clock.now() + LEASE


async def test_a_shard_is_free_again_exactly_when_its_lease_lapses(
    jobs: JobRows, clock: FakeClock
) -> None:
    await keep_planned(jobs, a_job(), 1)
    await lease(jobs, clock, "server-1")
    clock.advance(LEASE - timedelta(microseconds=1))
    assert await lease(jobs, clock, "server-2") is None
    clock.advance(timedelta(microseconds=1))
    second = await lease(jobs, clock, "server-2")
    assert second is not None
    assert second.shard.epoch == 2


async def test_a_renewed_lease_does_not_lapse(jobs: JobRows, clock: FakeClock) -> None:
    await keep_planned(jobs, a_job(), 1, 1)
    first, second = await lease(jobs, clock), await lease(jobs, clock)
    assert first is not None
    assert second is not None
    clock.advance(LEASE / 2)
    renewed = await jobs.renew([first], clock.now() + LEASE)
    assert [one.expires for one in renewed] == [clock.now() + LEASE]
    clock.advance(LEASE / 2)
    taken = await lease(jobs, clock, "server-2")
    assert taken is not None
    assert taken.shard.number == second.shard.number
    assert await jobs.renew([first, second], clock.now() + LEASE) == [
        *await jobs.renew([first], clock.now() + LEASE)
    ]


async def test_a_lease_given_back_is_free_at_once_and_only_once(
    jobs: JobRows, clock: FakeClock
) -> None:
    await keep_planned(jobs, a_job(), 1)
    first = await lease(jobs, clock)
    assert first is not None
    await jobs.give_back(first)
    second = await lease(jobs, clock)
    assert second is not None
    assert second.shard.epoch == 2
    # The first one's holder knows nothing of the second lease, though the owner is the same.
    await jobs.give_back(first)
    assert await lease(jobs, clock) is None


async def test_a_start_frees_what_dead_servers_held(jobs: JobRows, clock: FakeClock) -> None:
    await keep_planned(jobs, a_job(), 1, 1, 1)
    dead = await lease(jobs, clock, "dead")
    mine = await lease(jobs, clock, "alive")
    assert dead is not None
    assert mine is not None
    assert await end_others(jobs, "alive") == 1
    taken = await lease(jobs, clock, "alive")
    assert taken is not None
    assert taken.shard.number == dead.shard.number
    assert await jobs.renew([mine], clock.now() + LEASE) != []


async def test_a_stale_lease_writes_nothing_and_is_returned_as_lost(
    jobs: JobRows, clock: FakeClock
) -> None:
    await keep_planned(jobs, a_job(), 4)
    stale = await lease(jobs, clock, "server-1")
    assert stale is not None
    assert await jobs.record([progress(stale, 1, committed_bytes=10)], NOON) == []
    clock.advance(LEASE)
    current = await lease(jobs, clock, "server-2")
    assert current is not None
    assert current.shard.succeeded == 1
    assert await jobs.record([progress(stale, 3, committed_bytes=30)], NOON) == [stale]
    assert await jobs.renew([stale], clock.now() + LEASE) == []
    assert await counts(jobs) == RequestCounts(total=4, succeeded=1)
    assert await jobs.segments(ONE) == [
        Segment(job=ONE, shard=0, epoch=1, committed_bytes=10),
    ]


async def test_a_group_is_recorded_as_far_as_its_leases_hold(
    jobs: JobRows, clock: FakeClock
) -> None:
    await keep_planned(jobs, a_job(), 2, 3, 4)
    lost = await lease(jobs, clock)
    assert lost is not None
    await end_others(jobs, "nobody")
    again = await lease(jobs, clock)
    other = await lease(jobs, clock)
    assert again is not None
    assert other is not None
    group = [progress(lost, 2), progress(again, 1, 1), progress(other, 0, 2)]
    at = NOON + timedelta(minutes=1)
    assert await jobs.record(group, at) == [lost]
    assert await counts(jobs) == RequestCounts(total=9, succeeded=1, failed=3)
    job = await jobs.find(PROJECT, ONE)
    assert job is not None
    assert job.updated == at


async def test_counts_follow_totals_and_never_double(jobs: JobRows, clock: FakeClock) -> None:
    await keep_planned(jobs, a_job(), 5)
    held = await lease(jobs, clock)
    assert held is not None
    for _ in range(2):
        # The same report twice, as after a reply that was lost.
        assert await jobs.record([progress(held, 2, 1, committed_bytes=50)], NOON) == []
        assert await counts(jobs) == RequestCounts(total=5, succeeded=2, failed=1)
    assert await jobs.record([progress(held, 3, 1, committed_bytes=70)], NOON) == []
    assert await counts(jobs) == RequestCounts(total=5, succeeded=3, failed=1)
    assert [segment.committed_bytes for segment in await jobs.segments(ONE, 0)] == [70]


async def test_a_later_lease_may_vouch_for_the_segments_of_earlier_ones(
    jobs: JobRows, clock: FakeClock
) -> None:
    await keep_planned(jobs, a_job(), 5)
    await lease(jobs, clock)
    clock.advance(LEASE)
    held = await lease(jobs, clock)
    assert held is not None
    report = progress(held, 3)
    earlier = Segment(job=ONE, shard=0, epoch=1, committed_bytes=33)
    report = replace(report, segments=(earlier, *report.segments))
    assert await jobs.record([report], NOON) == []
    assert [(one.epoch, one.committed_bytes) for one in await jobs.segments(ONE, 0)] == [
        (1, 33),
        (2, 100),
    ]
    assert await jobs.segments(ONE, 1) == []


async def test_a_done_shard_drops_its_lease_and_is_never_leased_again(
    jobs: JobRows, clock: FakeClock
) -> None:
    await keep_planned(jobs, a_job(), 2)
    held = await lease(jobs, clock)
    assert held is not None
    assert await jobs.record([progress(held, 1, 1)], NOON) == []
    assert await jobs.renew([held], clock.now() + LEASE) == []
    clock.advance(LEASE)
    assert await lease(jobs, clock) is None


async def test_nothing_is_written_for_a_job_that_is_cancelled(
    jobs: JobRows, clock: FakeClock
) -> None:
    await keep_planned(jobs, a_job(), 2, 2)
    held = await lease(jobs, clock)
    assert held is not None
    await jobs.move(ONE, JobState.CANCELLED, NOON)
    assert await jobs.record([progress(held, 1)], NOON) == [held]
    assert await jobs.renew([held], clock.now() + LEASE) == []
    assert await lease(jobs, clock) is None
    assert await counts(jobs) == RequestCounts(total=4)


async def numbers_leased(jobs: JobRows, clock: FakeClock, count: int) -> list[int]:
    leases = [await lease(jobs, clock) for _ in range(count)]
    return [held.shard.number for held in leases if held]


async def test_lanes_begin_far_apart(jobs: JobRows, clock: FakeClock) -> None:
    await keep_planned(jobs, a_job(), *[1] * 16)
    assert await numbers_leased(jobs, clock, 4) == [0, 8, 4, 12]
    assert sorted(await numbers_leased(jobs, clock, 16)) == [
        1,
        2,
        3,
        5,
        6,
        7,
        *range(9, 12),
        *range(13, 16),
    ]


async def test_a_lane_goes_on_behind_its_last_shard(jobs: JobRows, clock: FakeClock) -> None:
    await keep_planned(jobs, a_job(), *[1] * 8)
    first = await lease(jobs, clock)
    assert first is not None
    far = await lease(jobs, clock)
    assert far is not None
    assert (first.shard.number, far.shard.number) == (0, 4)
    held = first
    for expected in (1, 2, 3):
        following = await lease(jobs, clock, after=held.shard)
        assert following is not None
        held = following
        assert held.shard.number == expected
    # The one behind it is leased: the middle of what is free is farthest from all others.
    stolen = await lease(jobs, clock, after=held.shard)
    assert stolen is not None
    assert stolen.shard.number == 6


async def test_a_span_that_nobody_comes_to_is_begun_at_its_start(
    jobs: JobRows, clock: FakeClock
) -> None:
    await keep_planned(jobs, a_job(), *[1] * 6)
    held = [await lease(jobs, clock) for _ in range(2)]
    assert [one.shard.number for one in held if one] == [0, 3]
    for one in held:
        assert one is not None
        await jobs.record([progress(one, 1)], NOON)
    assert await numbers_leased(jobs, clock, 2) == [1, 4]


async def test_a_shard_of_another_job_says_nothing_of_where_to_go_on(
    jobs: JobRows, clock: FakeClock
) -> None:
    await keep_planned(jobs, a_job(), 1)
    await keep_planned(jobs, a_job("two", minutes=1), 1, 1, 1)
    last = await lease(jobs, clock)
    assert last is not None
    backfill = await lease(jobs, clock, after=last.shard)
    assert backfill is not None
    assert (backfill.job.id, backfill.shard.number) == ("two", 0)


async def test_a_shard_of_the_job_that_is_asked_for_is_leased(
    jobs: JobRows, clock: FakeClock
) -> None:
    await keep_planned(jobs, a_job(), 1)
    await keep_planned(jobs, a_job("two", minutes=1), 1)
    wanted = await lease(jobs, clock, job=JobId("two"))
    assert wanted is not None
    assert wanted.job.id == "two"
    assert await lease(jobs, clock, job=JobId("two")) is None


async def test_who_chose_a_shard_that_another_took_meanwhile_has_another_one(
    jobs: JobRows, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keep_planned(jobs, a_job(), 1, 1)
    first = await lease(jobs, clock, "server-1")
    assert first is not None
    # Both had chosen before either held it.
    monkeypatch.setattr(leases, "_choose_shard", lambda *_: first.shard.number)
    other = await lease(jobs, clock, "server-2")
    assert other is not None
    assert other.shard.number != first.shard.number
    assert await lease(jobs, clock, "server-3") is None
    assert await jobs.renew([first], clock.now() + LEASE) != []
