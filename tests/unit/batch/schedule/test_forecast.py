"""In which order jobs are expected to end, and after how much work."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.fake_clock import NOON
from toplu.batch.schedule.fair_shares import FairShares
from toplu.batch.schedule.forecast import forecast
from toplu.batch.schedule.policy import Candidates, Engine, QueuedJob
from toplu.job import JobId, ProjectId

HOUR = timedelta(hours=1)
ENGINE = Engine(lanes=2, work_per_second=1.0, quantum_seconds=1.0)


def job(name: str, project: str, work: float, *, age: timedelta = timedelta(), **more: Any) -> Any:
    created = NOON - age
    return QueuedJob(
        job=JobId(name),
        project=ProjectId(project),
        created=created,
        target=created + 24 * HOUR,
        expires=created + 48 * HOUR,
        work=work,
        **more,
    )


def through(*jobs: QueuedJob, **weights: int) -> dict[str, float]:
    shares = FairShares({}, {ProjectId(name): weight for name, weight in weights.items()})
    found = forecast(Candidates(jobs=jobs, shares=shares, engine=ENGINE, now=NOON))
    assert list(found.values()) == sorted(found.values()), "in the order in which they end"
    return {str(name): work for name, work in found.items()}


def test_a_job_alone_takes_its_own_work() -> None:
    assert through(job("one", "a", 10)) == {"one": 10}


def test_jobs_of_a_project_come_one_after_another_the_higher_priority_first() -> None:
    jobs = (job("one", "a", 10), job("two", "a", 5, priority=1))
    assert through(*jobs) == {"two": 5, "one": 15}


def test_projects_share_until_one_of_them_is_through() -> None:
    # Side by side both have had 4 when the short one ends; then the other has all.
    assert through(job("long", "a", 10), job("short", "b", 4)) == {"short": 8, "long": 14}
    weighed = through(job("long", "a", 10), job("short", "b", 4), a=3)
    assert weighed["long"] == pytest.approx(10 * 4 / 3)
    assert weighed["short"] == pytest.approx(14)


def test_what_a_deadline_presses_comes_before_all_shares() -> None:
    pressed = job("pressed", "a", 3600, age=23 * HOUR)
    assert list(through(job("other", "b", 7200), pressed)) == ["pressed", "other"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 10**6)), max_size=20))
def test_all_work_is_done_in_the_end(works: Sequence[tuple[str, int]]) -> None:
    jobs = [job(f"j{n}", project, work) for n, (project, work) in enumerate(works)]
    found = through(*jobs, a=2, b=5)
    assert found.keys() == {str(it.job) for it in jobs}
    if jobs:
        assert max(found.values()) == pytest.approx(sum(it.work for it in jobs))
    assert all(found[str(it.job)] >= it.work * (1 - 1e-9) for it in jobs)
