"""The jobs that compete for an engine, and the work that projects had of it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from support.fake_clock import FakeClock
from support.store.rows import LEASE, a_job, keep_planned, lease, progress
from toplu.job import WORK_SCALE, Experience, JobId, JobState, Lease, ProjectId, Share
from toplu.money import WORK_OF_REQUEST, Usage
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


async def test_a_project_has_the_experience_of_its_answers(jobs: JobRows, clock: FakeClock) -> None:
    await keep_planned(jobs, a_job("one"), 10)
    held = await leased(jobs, clock)
    usage = Usage(prompt_tokens=100, cached_tokens=60, output_tokens=7)
    # One has failed and one is a copy: neither was answered.
    report = replace(progress(held, 4, 1), deduplicated=1, usage=usage)
    for _ in range(2):
        await jobs.record([report], clock.now())
    known = (await jobs.competition("echo", clock.now())).experience
    assert known == {TEAM: Experience(answers=3, usage=usage)}
    assert (await jobs.competition("other", clock.now())).experience == {}


async def test_the_last_answers_count_most_and_the_sums_stay_small(
    jobs: JobRows, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shares_module, "ANSWERS_MAX", 100)
    await keep_planned(jobs, a_job("one"), 1000)
    held = await leased(jobs, clock)
    tokens = 0
    for answers in range(1, 1001, 3):
        tokens += 3 * (10 if answers < 500 else 30)
        report = replace(progress(held, answers), usage=Usage(output_tokens=tokens))
        await jobs.record([report], clock.now())
    known = (await jobs.competition("echo", clock.now())).experience[TEAM]
    assert known.answers <= 100
    assert known.usage.output_tokens / known.answers == pytest.approx(30, rel=0.1)


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
