"""The jobs that compete for an engine, and the work that projects had of it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from support.fake_clock import FakeClock
from support.store.rows import LEASE, a_job, keep_planned, lease, progress
from toplu.job import (
    ANSWERS_OF_A_JOB,
    WORK_SCALE,
    Experience,
    JobId,
    JobState,
    Lease,
    ProjectId,
    Share,
)
from toplu.money import WORK_OF_REQUEST, Usage
from toplu.store.rows import experience as experience_module
from toplu.store.rows import shares as shares_module
from toplu.store.rows.jobs import JobRows

TEAM = ProjectId("team-a")


async def leased(jobs: JobRows, clock: FakeClock, **wish: Any) -> Lease:
    held = await lease(jobs, clock, **wish)
    assert held is not None
    return held


async def competing(jobs: JobRows, clock: FakeClock) -> dict[str, bool]:
    """Return by job whether it has a shard that nobody holds."""
    competition = await jobs.competition("echo", clock.now())
    return {it.id: it.waits for it in competition.competitors}


async def test_every_job_that_is_unfinished_and_planned_competes(
    jobs: JobRows, clock: FakeClock
) -> None:
    await keep_planned(jobs, a_job("one"), 2, 2)
    await keep_planned(jobs, a_job("two"), 1)
    await keep_planned(jobs, a_job("elsewhere", engine="other"), 1)
    await jobs.create(a_job("unplanned"), unfinished_max=100)
    await keep_planned(jobs, a_job("over"), 1)
    await jobs.move(JobId("over"), JobState.CANCELLED, clock.now())
    assert await competing(jobs, clock) == {"one": True, "two": True}


async def test_a_job_waits_while_a_shard_of_it_is_free(jobs: JobRows, clock: FakeClock) -> None:
    await keep_planned(jobs, a_job("one"), 2, 2)
    await leased(jobs, clock)
    assert await competing(jobs, clock) == {"one": True}
    second = await leased(jobs, clock)
    assert await competing(jobs, clock) == {"one": False}
    await jobs.give_back(second)
    assert await competing(jobs, clock) == {"one": True}
    clock.advance(LEASE)
    assert await competing(jobs, clock) == {"one": True}


async def test_results_are_charged_to_the_project_once(jobs: JobRows, clock: FakeClock) -> None:
    await keep_planned(jobs, a_job("one"), 4)
    held = await leased(jobs, clock)
    usage = Usage(prompt_tokens=100, cached_tokens=60, output_tokens=7)
    report = replace(progress(held, 1, 1), usage=usage)
    for _ in range(2):
        assert await jobs.record([report], clock.now()) == []
    share = (await jobs.competition("echo", clock.now())).shares[TEAM]
    assert share.served == (40 * 10 + 60 * 1 + 7 * 40 + 2 * WORK_OF_REQUEST) * WORK_SCALE


async def test_a_stale_worker_charges_nothing(jobs: JobRows, clock: FakeClock) -> None:
    await keep_planned(jobs, a_job("one"), 4)
    stale = await leased(jobs, clock)
    clock.advance(LEASE)
    await leased(jobs, clock, owner="server-2")
    assert await jobs.record([progress(stale, 1)], clock.now()) == [stale]
    assert (await jobs.competition("echo", clock.now())).shares[TEAM].served == 0


async def test_a_weight_divides_what_is_charged(jobs: JobRows, clock: FakeClock) -> None:
    await keep_planned(jobs, a_job("one"), 4)
    held = await leased(jobs, clock, share=Share(weight=5, served=100, started=70))
    usage = Usage(output_tokens=1)
    await jobs.record([replace(progress(held, 1), usage=usage)], clock.now())
    share = (await jobs.competition("echo", clock.now())).shares[TEAM]
    charged = (40 + WORK_OF_REQUEST) * WORK_SCALE // 5
    assert share == Share(weight=5, served=100 + charged, started=70)


async def test_a_turn_never_takes_anything_off_a_share(jobs: JobRows, clock: FakeClock) -> None:
    await keep_planned(jobs, a_job("one"), 1, 1)
    await leased(jobs, clock, share=Share(served=100, started=90))
    await leased(jobs, clock, share=Share(weight=2, served=10, started=5))
    share = (await jobs.competition("echo", clock.now())).shares[TEAM]
    assert share == Share(weight=2, served=100, started=90)


async def ended(jobs: JobRows, clock: FakeClock, name: str, count: int, usage: Usage) -> None:
    """Run a job of which one request fails, and one has a copy of another one's answer."""
    await keep_planned(jobs, a_job(name), count)
    held = await leased(jobs, clock)
    report = replace(progress(held, count - 1, 1), deduplicated=1, usage=usage)
    await jobs.record([report], clock.now())
    assert await jobs.move(JobId(name), JobState.FAILED, clock.now())


async def experience(jobs: JobRows, clock: FakeClock) -> Experience | None:
    return (await jobs.competition("echo", clock.now())).experience.get(TEAM)


async def test_a_job_that_ends_is_added_to_the_experience_with_its_project(
    jobs: JobRows, clock: FakeClock
) -> None:
    usage = Usage(prompt_tokens=100, cached_tokens=60, output_tokens=7)
    await ended(jobs, clock, "one", 5, usage)
    assert await experience(jobs, clock) == Experience(answers=3, usage=usage)
    await ended(jobs, clock, "two", 5, usage)
    assert await experience(jobs, clock) == Experience(answers=6, usage=usage + usage)
    assert (await jobs.competition("other", clock.now())).experience == {}


async def test_a_huge_job_says_no_more_of_a_project_than_others(
    jobs: JobRows, clock: FakeClock
) -> None:
    await ended(jobs, clock, "huge", 100_002, Usage(output_tokens=100_000 * 10))
    await ended(jobs, clock, "small", 102, Usage(output_tokens=100 * 30))
    known = await experience(jobs, clock)
    assert known is not None
    assert known.usage.output_tokens / known.answers == pytest.approx(20, rel=0.01)


async def test_the_last_jobs_say_most_of_a_project(
    jobs: JobRows, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(experience_module, "ANSWERS_MAX", 3 * ANSWERS_OF_A_JOB)
    for number in range(12):
        tokens = 10 if number < 6 else 30
        await ended(jobs, clock, f"job-{number}", 102, Usage(output_tokens=100 * tokens))
    known = await experience(jobs, clock)
    assert known is not None
    assert known.answers == 3 * ANSWERS_OF_A_JOB
    assert 25 < known.usage.output_tokens / known.answers < 30


@pytest.fixture
def small_look(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], None]:
    def set_bounds(first: int, oldest: int) -> None:
        monkeypatch.setattr(shares_module, "FIRST_MAX", first)
        monkeypatch.setattr(shares_module, "OLDEST_MAX", oldest)

    return set_bounds


async def test_one_look_is_bounded_and_sees_the_first_of_each_project_and_the_oldest(
    jobs: JobRows, clock: FakeClock, small_look: Callable[[int, int], None]
) -> None:
    small_look(3, 1)
    for minutes in range(4):
        await keep_planned(jobs, a_job(f"flood-{minutes}", minutes=minutes), 1)
    await keep_planned(jobs, a_job("high", minutes=10, priority=1), 1)
    for name in ("b", "c"):
        await keep_planned(jobs, a_job(name, minutes=20, project=ProjectId(name)), 1)
    assert set(await competing(jobs, clock)) == {"high", "b", "c", "flood-0"}
