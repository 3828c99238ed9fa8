"""The next job: deadlines, shares and priorities, asked one question at a time."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from support.fake_clock import NOON
from toplu.batch.schedule.fair_shares import FairShares
from toplu.batch.schedule.policy import Candidates, Engine, NextJob, QueuedJob
from toplu.job import WORK_SCALE, JobId, ProjectId, Share

ENGINE = Engine(lanes=4, work_per_second=1000.0, quantum_seconds=1.0)
HOUR = timedelta(hours=1)
WORK_OF_AN_HOUR = 3600 * 1000.0


def job(name: str, project: str = "a", *, hours: float = 0.1, age: float = 0.0, **more: Any) -> Any:
    """A job with so many hours of work for the whole engine, created so many hours ago."""
    created = NOON - age * HOUR
    return QueuedJob(
        job=JobId(name),
        project=ProjectId(project),
        created=created,
        target=created + 24 * HOUR,
        expires=created + 48 * HOUR,
        work=hours * WORK_OF_AN_HOUR,
        **more,
    )


def shares(*, weights: dict[str, int] | None = None, **served: int) -> FairShares:
    known = {ProjectId(name): Share(served=work) for name, work in served.items()}
    return FairShares(known, {ProjectId(name): value for name, value in (weights or {}).items()})


def chosen(*jobs: QueuedJob, had: FairShares | None = None, engine: Engine = ENGINE) -> str | None:
    chosen = ask(jobs, had or shares(), engine)
    return None if chosen is None else chosen.job


def ask(jobs: Sequence[QueuedJob], had: FairShares, engine: Engine = ENGINE) -> NextJob | None:
    return Candidates(jobs=jobs, shares=had, engine=engine, now=NOON).next_job()


def test_nobody_waits() -> None:
    assert chosen() is None
    assert chosen(job("one", waits=False)) is None


def test_the_project_that_had_least_goes_first() -> None:
    jobs = (job("one", "a", age=2), job("two", "b", age=1))
    assert chosen(*jobs) == "one"
    assert chosen(*jobs, had=shares(a=10, b=9)) == "two"


def test_what_is_on_the_lanes_counts_as_had() -> None:
    assert chosen(job("one", "a", lanes=1), job("two", "b")) == "two"
    assert chosen(job("one", "a", lanes=1), job("two", "b", lanes=2)) == "one"


def test_weights_divide_what_was_had() -> None:
    jobs = (job("one", "a", lanes=2), job("two", "b", lanes=1))
    assert chosen(*jobs) == "two"
    assert chosen(*jobs, had=shares(weights={"a": 4, "b": 1})) == "one"


def test_within_a_project_the_higher_priority_goes_first_then_the_oldest() -> None:
    old, new = job("old", age=3), job("new", age=1)
    assert chosen(old, new) == "old"
    assert chosen(old, job("high", age=1, priority=1)) == "high"
    assert chosen(job("low", age=3, priority=-1), new) == "new"


def test_a_priority_is_of_no_avail_against_other_projects() -> None:
    assert chosen(job("one", "a", priority=9, lanes=1), job("two", "b")) == "two"


def test_a_late_job_goes_before_the_others_of_its_project_whatever_their_priority() -> None:
    late = job("late", age=25, priority=-1)
    assert chosen(late, job("high", priority=9)) == "late"


def test_a_job_whose_slack_is_used_up_goes_first() -> None:
    patient = job("two", "b", hours=20, age=0)
    assert chosen(job("one", "a", hours=5, age=10, lanes=3), patient) == "two"
    assert chosen(job("one", "a", hours=5, age=18.7, lanes=3), patient) == "one"


def test_deadlines_are_added_up() -> None:
    """Each of them has time alone, but not one after another."""
    several = [job(f"job-{n}", "a", hours=4, age=10 + n / 100, lanes=1) for n in range(4)]
    small = job("patient", "b", hours=8)
    assert chosen(*several[:2], small) == "patient"
    assert chosen(*several[:3], job("patient", "b", hours=8, lanes=2)) == "job-2"


def test_what_is_short_goes_beside_what_is_urgent() -> None:
    urgent = job("urgent", "a", hours=3.4, age=20, lanes=3)
    assert chosen(urgent, job("short", "b", hours=0.1)) == "short"
    assert chosen(urgent, job("long", "b", hours=6)) == "urgent"


def pressing(*jobs: QueuedJob) -> str | None:
    return Candidates(jobs=jobs, shares=shares(), engine=ENGINE, now=NOON).pressing()


def test_all_lanes_are_for_the_job_that_presses_though_others_hold_the_rest_of_it() -> None:
    long = job("long", "b", hours=6)
    held = job("held", "a", hours=3.4, age=20.3, lanes=1, waits=False)
    assert pressing(held, long) == "held"
    # A lane can have a part of its own of it.
    assert pressing(job("free", "a", hours=3.4, age=20.3, lanes=1), long) is None
    # There is time.
    assert pressing(job("early", "a", hours=3.4, age=15, lanes=1, waits=False), long) is None


def test_no_project_is_without_a_lane_for_hours_while_others_are_urgent() -> None:
    urgent = job("urgent", "a", hours=2.5, age=20, lanes=3)
    assert chosen(urgent, job("long", "b", hours=6)) == "long"
    assert chosen(urgent, job("long", "b", hours=6, lanes=1)) == "urgent"


def test_a_late_job_gets_a_lane_even_while_others_press() -> None:
    pressing = job("pressing", "a", hours=3.4, age=20, lanes=3)
    assert chosen(pressing, job("long", "b", hours=30, age=20)) == "pressing"
    assert chosen(pressing, job("late", "b", hours=30, age=30)) == "late"


def test_a_job_without_hope_is_not_waited_for() -> None:
    """It gets its share, and the others are on time."""
    huge = job("huge", "a", hours=500, lanes=3)
    assert chosen(huge, job("small", "b", hours=1)) == "small"
    assert chosen(huge, job("small", "b", hours=1, lanes=4)) == "huge"


def test_an_engine_that_was_not_measured_is_shared_fairly() -> None:
    engine = Engine(lanes=4, work_per_second=None, quantum_seconds=1.0)
    assert chosen(job("one", "a", hours=99, lanes=1), job("two", "b"), engine=engine) == "two"


def test_nobody_saves_up_turns() -> None:
    """A project that was away starts where those stand that were not."""
    known = {
        ProjectId("busy"): Share(served=5000 * WORK_SCALE, started=4000 * WORK_SCALE),
        ProjectId("away"): Share(served=10 * WORK_SCALE, started=10 * WORK_SCALE),
    }
    chosen = ask([job("one", "away"), job("two", "busy")], FairShares(known, {}))
    assert chosen is not None
    assert (chosen.job, chosen.served, chosen.started) == (
        "one",
        4000 * WORK_SCALE,
        4000 * WORK_SCALE,
    )


queued_jobs = st.lists(
    st.builds(
        job,
        st.uuids().map(str),
        st.sampled_from(["a", "b", "c"]),
        hours=st.floats(0, 60),
        age=st.floats(0, 47),
        priority=st.integers(-3, 3),
        lanes=st.integers(0, 3),
        waits=st.booleans(),
    ),
    max_size=12,
)


@given(queued_jobs, st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers(0, 10**12)))
def test_a_job_is_chosen_whenever_one_waits(jobs: list[QueuedJob], had: dict[str, int]) -> None:
    chosen = ask(jobs, shares(**had))
    waiting = {it.job for it in jobs if it.waits}
    assert (chosen.job in waiting) if chosen is not None else not waiting


@given(queued_jobs, st.randoms(use_true_random=False))
def test_the_answer_does_not_depend_on_the_order_of_the_question(
    jobs: list[QueuedJob], chance: Any
) -> None:
    shuffled = list(jobs)
    chance.shuffle(shuffled)
    assert ask(jobs, shares()) == ask(shuffled, shares())


@given(st.integers(1, 8), st.integers(0, 8))
def test_each_of_as_many_projects_as_there_are_lanes_gets_one(count: int, more: int) -> None:
    engine = Engine(lanes=count + more, work_per_second=1000.0, quantum_seconds=1.0)
    lanes = dict.fromkeys((f"p{n}" for n in range(count)), 0)
    for _ in range(engine.lanes):
        jobs = [job(f"job-{name}", name, lanes=held) for name, held in lanes.items()]
        chosen = ask(jobs, shares(), engine)
        assert chosen is not None
        lanes[chosen.project] += 1
    assert min(lanes.values()) >= 1
    assert max(lanes.values()) - min(lanes.values()) <= 1
