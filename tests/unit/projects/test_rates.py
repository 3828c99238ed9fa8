"""Rates: what a minute allows, given back steadily, whatever it was used for."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from support.fake_clock import FakeClock
from toplu.projects.rates import Rates

KEY = ("requests", "team-a", "echo")


def test_a_minutes_worth_may_be_taken_at_once() -> None:
    rates = Rates(clock=FakeClock())
    for _ in range(5):
        assert rates.seconds_until(KEY, 5, 1) == 0
        rates.take(KEY, 5, 1)
    assert rates.seconds_until(KEY, 5, 1) == 12


def test_the_wait_that_is_named_is_enough() -> None:
    clock = FakeClock()
    rates = Rates(clock=clock)
    rates.take(KEY, 7, 7)
    wait = rates.seconds_until(KEY, 7, 1)
    clock.advance(timedelta(seconds=wait))
    assert rates.seconds_until(KEY, 7, 1) == 0


def test_a_debt_is_waited_out() -> None:
    clock = FakeClock()
    rates = Rates(clock=clock)
    rates.take(KEY, 60, 180)  # two minutes more than there is
    assert rates.seconds_until(KEY, 60, 1) == 121
    clock.advance(timedelta(seconds=120))
    assert rates.seconds_until(KEY, 60, 1) == 1


def test_an_idle_bucket_never_holds_more_than_a_minute() -> None:
    clock = FakeClock()
    rates = Rates(clock=clock)
    rates.take(KEY, 5, 5)
    clock.advance(timedelta(days=1))
    rates.take(KEY, 5, 5)
    assert rates.seconds_until(KEY, 5, 1) > 0


def test_keys_are_apart() -> None:
    rates = Rates(clock=FakeClock())
    rates.take(KEY, 1, 1)
    assert rates.seconds_until(("requests", "team-b", "echo"), 1, 1) == 0


def test_a_limit_that_changes_counts_at_once() -> None:
    rates = Rates(clock=FakeClock())
    rates.take(KEY, 1, 1)
    assert rates.seconds_until(KEY, 10, 1) == 0


def test_memory_is_bounded() -> None:
    rates = Rates(clock=FakeClock(), buckets_max=10)
    for number in range(100):
        rates.take(("requests", str(number)), 5, 1)
    assert len(rates) == 10


@given(
    st.integers(1, 1000),
    st.lists(st.tuples(st.integers(0, 90), st.integers(1, 50)), min_size=1, max_size=30),
)
def test_never_more_is_admitted_than_a_minutes_worth_and_what_time_gave(
    per_minute: int, asked: list[tuple[int, int]]
) -> None:
    clock = FakeClock()
    rates = Rates(clock=clock)
    taken = seconds = 0
    for wait, amount in asked:
        clock.advance(timedelta(seconds=wait))
        seconds += wait
        if amount <= per_minute and rates.seconds_until(KEY, per_minute, amount) == 0:
            rates.take(KEY, per_minute, amount)
            taken += amount
    assert taken <= per_minute + per_minute * seconds / 60 + 1e-6
