"""The number of replicas that is wanted: within bounds, at once when more, later when fewer."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.fake_clock import NOON
from toplu.batch.schedule.due_work import DueWork
from toplu.placement.policy import Demand, Policy, needed
from toplu.settings.model import ModelSettings

HOUR = timedelta(hours=1)
IDLE = 60.0

# A second after the beginning, and what is needed then.
Histories = list[tuple[float, int]]


def model(least: int = 0, most: int | None = 4, *, idle: float = IDLE) -> ModelSettings:
    return ModelSettings(
        name="m", engine="echo", replicas_min=least, replicas_max=most, idle_seconds=idle
    )


def demand(*hours_of_work: float, there: int = 0, speed: float | None = 1.0) -> Demand:
    """Return a demand of so many hours of work of one replica, each due in an hour."""
    due = [DueWork(target=NOON + HOUR, work=3600 * hours) for hours in hours_of_work]
    return Demand(due=due, of_one=speed, there=there, ready=there)


def history(policy: Policy, needs: Histories, *, there: int = 0) -> list[int]:
    """Return what is wanted at each moment."""
    found = []
    for seconds, number in needs:
        now = NOON + timedelta(seconds=seconds)
        # Late work is that of a quarter of an hour, whatever the time.
        due = [DueWork(target=NOON, work=900 * number)] if number else []
        asked = Demand(due=due, of_one=1.0, there=there)
        found.append(policy.wanted({"m": asked}, now)["m"])
    return found


@pytest.mark.parametrize(
    ("asked", "number"),
    [
        (Demand(), 0),
        (Demand(there=3, ready=3), 0),
        (demand(0.0), 0),  # all has its outcome, and waits to be put into order
        (demand(0.001), 1),
        (demand(2.5, 0.6), 4),
        (demand(2.5, speed=None), 1),  # nobody knows how fast one is: one will say it
        (demand(2.5, there=3, speed=None), 3),
        (demand(2.5, speed=0.0), 1),
        (Demand(is_called=True), 1),
        (Demand(is_called=True, due=demand(3.0).due, of_one=1.0), 3),
    ],
)
def test_as_many_are_needed_as_have_all_done_by_then(asked: Demand, number: int) -> None:
    assert needed(asked, NOON) == number


@pytest.mark.parametrize(
    ("least", "most", "numbers"),
    [(0, 4, [0, 1, 4, 4]), (2, 3, [2, 2, 3, 3]), (1, 1, [1, 1, 1, 1]), (0, None, [0, 1, 9, 3])],
)
def test_the_bounds_hold(least: int, most: int | None, numbers: list[int]) -> None:
    policy = Policy([model(least, most)])
    assert history(policy, [(0, 0), (1, 1), (2, 9), (3, 3)]) == numbers


def test_more_are_wanted_at_once_and_fewer_when_they_were_enough_for_long() -> None:
    needs = [(0, 1), (10, 3), (11, 1), (20, 2), (69, 1), (70, 1), (79, 1), (80, 1)]
    assert history(Policy([model()]), needs) == [1, 3, 3, 3, 3, 2, 2, 1]


def test_none_is_wanted_when_nothing_waited_for_long() -> None:
    needs = [(0, 1), (1, 0), (59, 0), (60, 0), (61, 0)]
    assert history(Policy([model()]), needs) == [1, 1, 1, 0, 0]


def test_a_batch_within_the_pause_begins_it_anew() -> None:
    needs = [(0, 1), (50, 0), (55, 1), (60, 0), (114, 0), (115, 0)]
    assert history(Policy([model()]), needs) == [1, 1, 1, 1, 1, 0]


def test_who_begins_to_look_ends_nothing_that_runs() -> None:
    needs = [(0, 1), (59, 1), (60, 1)]
    assert history(Policy([model()]), needs, there=3) == [3, 3, 1]
    assert history(Policy([model(most=2)]), needs, there=3) == [2, 2, 1]


def test_a_clock_that_is_put_back_ends_nothing_and_keeps_nothing_for_hours() -> None:
    needs = [(7200, 3), (0, 1), (59, 1), (60, 1)]
    assert history(Policy([model()]), needs) == [3, 3, 3, 1]


def test_a_clock_that_jumps_keeps_what_is_needed_now() -> None:
    assert history(Policy([model()]), [(0, 3), (86_400, 2)]) == [3, 2]


def test_a_model_that_is_not_asked_for_has_its_least() -> None:
    assert Policy([model(2)]).wanted({}, NOON) == {"m": 2}


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(0, 9)), min_size=1, max_size=60))
def test_it_is_the_most_of_the_pause_whatever_comes(steps: Histories) -> None:
    needs, second = [], 0.0
    for pause, number in steps:
        second += pause
        needs.append((second, number))

    def most_of(now: float) -> int:
        return max(number for at, number in needs if now - IDLE < at <= now)

    # Moments that two steps share are told by the last of them.
    found = dict(zip((at for at, _ in needs), history(Policy([model()]), needs), strict=True))
    assert found == {at: min(4, most_of(at)) for at in found}
