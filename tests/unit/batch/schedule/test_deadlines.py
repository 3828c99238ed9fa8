"""The demand test, and the fewest jobs that must be late when it fails."""

import itertools
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from support.fake_clock import NOON
from toplu.batch.schedule.deadlines import Due, Outlook, look_ahead
from toplu.job import JobId

HOUR = 3600.0


def due(name: str, hours: float, work: float) -> Due:
    """A job that is due in so many hours and needs so many of the engine."""
    return Due(
        job=JobId(name),
        deadline=NOON + timedelta(hours=hours),
        seconds=work * HOUR,
        window_seconds=24 * HOUR,
    )


def look(*jobs: Due) -> Outlook:
    return look_ahead(jobs, NOON)


def test_with_time_enough_nothing_is_urgent() -> None:
    outlook = look(due("one", 10, 1), due("two", 20, 5))
    assert (outlook.urgent, outlook.at_risk, outlook.presses) == (set(), set(), False)


def test_urgent_is_what_comes_before_the_deadline_without_slack() -> None:
    outlook = look(due("one", 10, 1), due("two", 20, 17), due("three", 40, 1))
    assert outlook.urgent == {"one", "two"}
    assert not outlook.presses


def test_it_presses_when_hardly_any_slack_is_left() -> None:
    assert look(due("one", 2, 1.5)).presses


def test_the_largest_is_given_up_when_not_all_can_be_on_time() -> None:
    outlook = look(due("one", 5, 4), due("two", 6, 1), due("three", 7, 3))
    assert outlook.at_risk == {"one"}


def test_a_deadline_that_has_passed_is_not_waited_for() -> None:
    outlook = look(due("late", -1, 1), due("two", 20, 5))
    assert (outlook.at_risk, outlook.urgent) == ({"late"}, set())


def test_short_is_what_earlier_deadlines_can_spare() -> None:
    urgent = due("urgent", 20, 18)
    assert look(urgent, due("short", 30, 1)).short == {"short"}
    assert look(urgent, due("long", 30, 3)).short == set()
    three = [due(f"short-{n}", 30, 0.7) for n in range(3)]
    assert look(urgent, *three).short == {"short-0", "short-1"}, "all of them together"


jobs = st.lists(st.tuples(st.integers(1, 30), st.integers(1, 12)), min_size=1, max_size=7).map(
    lambda pairs: [due(f"job-{n}", hours, work) for n, (hours, work) in enumerate(pairs)]
)


def can_be_on_time(chosen: list[Due]) -> bool:
    demand = 0.0
    for it in sorted(chosen, key=lambda it: it.deadline):
        demand += it.seconds
        if NOON + timedelta(seconds=demand) > it.deadline:
            return False
    return True


@given(jobs)
def test_no_set_that_can_be_on_time_is_larger(given_jobs: list[Due]) -> None:
    at_risk = look(*given_jobs).at_risk
    assert can_be_on_time([it for it in given_jobs if it.job not in at_risk])
    kept = len(given_jobs) - len(at_risk)
    for larger in itertools.combinations(given_jobs, kept + 1):
        assert not can_be_on_time(list(larger))


@given(jobs)
def test_what_goes_beside_makes_nobody_late(given_jobs: list[Due]) -> None:
    outlook = look(*given_jobs)
    kept = [it for it in given_jobs if it.job not in outlook.at_risk]
    first = [it for it in given_jobs if it.job in outlook.short]
    demand = sum(it.seconds for it in first)
    for it in sorted(kept, key=lambda it: it.deadline):
        if it.job not in outlook.short:
            demand += it.seconds
            assert NOON + timedelta(seconds=demand) <= it.deadline
